"""What our certificates contain: root, intermediate, workload leaf, serving leaf, and how long each lives. Pure.

The leaf of a workload is a SPIFFE X509-SVID; all of them follow RFC 5280. A builder that leaves this module lacks
nothing but the signature; a leaf is put together in `leaf`.
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv6Address
from typing import ClassVar, Final, TypeAlias

from cryptography import x509
from cryptography.x509.oid import NameOID

from ca.certificates import IssuingCertificate, PublicKey, Validity
from proa.errors import Invalid, Problems, shown
from proa.identity import TrustDomain, WorkloadIdentity

BACKDATE: Final = timedelta(seconds=60)
"""Covers clocks that run behind. Kubernetes takes no notBefore more than five minutes from its own clock."""
SHORTEST_LEAF: Final = timedelta(hours=1)
LONGEST_LEAF: Final = timedelta(days=91)
"""Kubernetes' bounds for maxExpirationSeconds of a PodCertificateRequest."""
DEFAULT_LEAF: Final = timedelta(hours=24)
INTERMEDIATE_LIFETIME: Final = timedelta(days=90)
ROOT_LIFETIME: Final = timedelta(days=3650)

_DNS_NAME: Final = re.compile(r"(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_LONGEST_ATTRIBUTE: Final = 64  # ub-common-name and ub-organization-name, RFC 5280 appendix A.1


@dataclass(eq=False)
class LifetimeRefused(Invalid):
    """A lifetime nobody may ask for."""

    code: ClassVar[str] = "lifetime_refused"


@dataclass(eq=False)
class IssuerNotValid(Invalid):
    """The issuer is not valid yet, expired, or too near its end for even the shortest leaf."""

    code: ClassVar[str] = "issuer_not_valid"


@dataclass(frozen=True, slots=True)
class WorkloadLeaf:
    """A workload's certificate: proves *identity* as a server and as a client, and nothing else."""

    identity: WorkloadIdentity

    def __str__(self) -> str:
        return self.identity.uri


@dataclass(frozen=True, slots=True)
class ServingLeaf:
    """The certificate of an HTTPS server that is found by DNS name or address, such as the webhook."""

    dns_names: tuple[str, ...] = ()
    addresses: tuple[IPv4Address | IPv6Address, ...] = ()

    def __post_init__(self) -> None:
        problems = Problems()
        if not self.dns_names and not self.addresses:
            problems.add([Invalid("names", "nothing", "at least one DNS name or address")])
        problems.add(
            Invalid("DNS name", shown(name), "lower-case DNS labels, no wildcard")
            for name in self.dns_names
            if not _DNS_NAME.fullmatch(name)
        )
        problems.refuse("the serving certificate")

    def __str__(self) -> str:
        return ", ".join((*self.dns_names, *map(str, self.addresses)))


LeafContents: TypeAlias = WorkloadLeaf | ServingLeaf


def checked_lifetime(lifetime: timedelta) -> timedelta:
    """*lifetime* itself; LifetimeRefused outside one hour to 91 days."""
    if not SHORTEST_LEAF <= lifetime <= LONGEST_LEAF:
        raise LifetimeRefused("lifetime", str(lifetime), f"{SHORTEST_LEAF} to {LONGEST_LEAF}")
    return lifetime


def leaf_validity(now: datetime, lifetime: timedelta, issuer: Validity) -> Validity:
    """*lifetime* from a minute before *now*, cut to what the issuer has left; never longer than *lifetime*.

    Raises LifetimeRefused (see `checked_lifetime`), and IssuerNotValid when the issuer leaves less than an hour.
    """
    not_before = max(_whole_seconds(now) - BACKDATE, issuer.not_before)
    not_after = min(_whole_seconds(not_before + checked_lifetime(lifetime)), issuer.not_after)
    if now < issuer.not_before or not_after - not_before < SHORTEST_LEAF:
        raise IssuerNotValid("issuer", str(issuer), f"an hour or more left at {now:%Y-%m-%dT%H:%M:%SZ}")
    return Validity(not_before, not_after)


def authority_validity(now: datetime, lifetime: timedelta) -> Validity:
    not_before = _whole_seconds(now) - BACKDATE
    return Validity(not_before, not_before + lifetime)


@dataclass(frozen=True, slots=True)
class Terms:
    """What no rule decides: whose public key, from when to when, which serial (positive, at most 159 bits)."""

    public_key: PublicKey
    validity: Validity
    serial: int


def root_builder(trust_domain: TrustDomain, terms: Terms) -> x509.CertificateBuilder:
    """A root with room for one layer of intermediates. It names itself, so it points to no key above."""
    name = _authority_name("Proa root", trust_domain, terms.serial)
    return _authority(name, trust_domain, terms, path_length=1).issuer_name(name)


def intermediate_builder(
    trust_domain: TrustDomain, terms: Terms, issuer: IssuingCertificate
) -> x509.CertificateBuilder:
    """An issuer of leaves, and of leaves only."""
    name = _authority_name("Proa intermediate", trust_domain, terms.serial)
    return _below(issuer, _authority(name, trust_domain, terms, path_length=0))


def intermediate_request(trust_domain: TrustDomain, serial: int) -> x509.CertificateSigningRequestBuilder:
    """What `intermediate_builder` would say of itself, for somebody else to sign."""
    return (
        x509.CertificateSigningRequestBuilder()
        .subject_name(_authority_name("Proa intermediate", trust_domain, serial))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(key_usage(issuing=True), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.UniformResourceIdentifier(trust_domain.uri)]), critical=False)
    )


def key_usage(*, digital_signature: bool = False, issuing: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=issuing,
        crl_sign=issuing,
        encipher_only=False,
        decipher_only=False,
    )


def _authority(
    name: x509.Name, trust_domain: TrustDomain, terms: Terms, *, path_length: int
) -> x509.CertificateBuilder:
    """The trust domain's id without a path marks a signing certificate (X509-SVID §3.2)."""
    return (
        _filled(x509.CertificateBuilder().subject_name(name), terms)
        .add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
        .add_extension(key_usage(issuing=True), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.UniformResourceIdentifier(trust_domain.uri)]), critical=False)
    )


def _authority_name(role: str, trust_domain: TrustDomain, serial: int) -> x509.Name:
    """Unlike any other generation's: with equal subjects verifiers try every key and may give up (spire#4415)."""
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, trust_domain.name[:_LONGEST_ATTRIBUTE]),
            x509.NameAttribute(NameOID.COMMON_NAME, role),
            x509.NameAttribute(NameOID.SERIAL_NUMBER, f"{serial:x}"),
        ]
    )


def _filled(builder: x509.CertificateBuilder, terms: Terms) -> x509.CertificateBuilder:
    return (
        builder.public_key(terms.public_key)
        .not_valid_before(terms.validity.not_before)
        .not_valid_after(terms.validity.not_after)
        .serial_number(terms.serial)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(terms.public_key), critical=False)
    )


def _below(issuer: IssuingCertificate, builder: x509.CertificateBuilder) -> x509.CertificateBuilder:
    """The key identifier is copied from the issuer, not computed again: issuers from elsewhere may use another way."""
    pointer = x509.AuthorityKeyIdentifier(issuer.key_identifier, None, None)
    return builder.issuer_name(issuer.certificate.subject).add_extension(pointer, critical=False)


def _whole_seconds(moment: datetime) -> datetime:
    return moment.replace(microsecond=0)
