"""Other names of this trust domain, and other trust domains that are believed, by the mesh configuration. Pure.

A foreign trust domain is believed about its own workloads alone: its roots vouch for no other name.
"""

from __future__ import annotations

from base64 import b64decode
from typing import TYPE_CHECKING, Annotated, Final, TypeAlias

import msgspec
from msgspec import Meta

from proa.doors import Revocation, RootsMaps
from proa.errors import Invalid, Problems, shown
from proa.identity import TRUST_DOMAIN_PATTERN, TrustDomain
from proa.sections import Section

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cryptography import x509

    from proa.doors import RootsDoor

_MOST_DOMAINS: Final = 32
_MOST_ROOTS: Final = 8
"""Of each. All of them stand in one ConfigMap of each namespace, which holds 1 MiB."""
_BUNDLE: Final = "root certificates in PEM, or a SPIFFE bundle (a JWK set with keys of use x509-svid)"

Name: TypeAlias = Annotated[
    str, Meta(pattern=rf"^{TRUST_DOMAIN_PATTERN}\Z", description="a trust domain: 1 to 255 of a-z, 0-9, '.', '-', '_'")
]
Bundle: TypeAlias = Annotated[str, Meta(description=_BUNDLE)]


class NoFederation(Section, frozen=True, tag_field="kind", tag="none"):
    """Nobody but workloads of this trust domain is believed."""


class Bundles(Section, frozen=True, tag_field="kind", tag="bundles"):
    """Sidecars go by a bundle for each trust domain, this one's and those of `trust_domains`, and follow changes."""

    trust_domains: dict[Name, Bundle] = {}  # noqa: RUF012 - msgspec copies an empty default

    def __post_init__(self) -> None:
        if len(self.trust_domains) > _MOST_DOMAINS:
            raise Invalid("trustDomains", f"{len(self.trust_domains)}", f"at most {_MOST_DOMAINS}")
        problems = Problems()
        for name, bundle in self.trust_domains.items():
            with problems.collected(f"trustDomains.{name}"):
                foreign_roots(bundle)
        problems.refuse("the federation")


Federation: TypeAlias = NoFederation | Bundles


class _Key(msgspec.Struct, frozen=True):
    use: str = ""
    x5c: tuple[str, ...] = ()


class _KeySet(msgspec.Struct, frozen=True):
    keys: tuple[_Key, ...]


def foreign_roots(bundle: str) -> tuple[x509.Certificate, ...]:
    """The roots in *bundle*, each once. Raises Invalid: also for what no sidecar could go by."""
    from cryptography import x509  # noqa: PLC0415 - most meshes have none, and `proa inject` should not wait for it

    try:
        if bundle.lstrip().startswith("{"):
            found = [x509.load_der_x509_certificate(each) for each in _encoded(bundle)]
        else:
            found = x509.load_pem_x509_certificates(bundle.encode())
        usable = all(map(_is_root, found))
    except (ValueError, x509.DuplicateExtension, x509.InvalidVersion) as error:
        # What stands there is not shown: somebody may have put a key there.
        raise Invalid("", f"{len(bundle)} characters that are none", _BUNDLE) from error
    roots = tuple(dict.fromkeys(found))
    if not 1 <= len(roots) <= _MOST_ROOTS:
        raise Invalid("", f"{len(roots)} roots", f"1 to {_MOST_ROOTS}")
    if not usable:
        raise Invalid("", "a certificate that is no root", "CA certificates that signed themselves, ECDSA or RSA")
    return roots


def _encoded(bundle: str) -> list[bytes]:
    """The certificates of a SPIFFE bundle, DER; keys for JWTs are not ours to look at (X509-SVID §6)."""
    keys = [each for each in msgspec.json.decode(bundle, type=_KeySet).keys if each.use == "x509-svid"]
    if any(len(each.x5c) != 1 for each in keys):
        raise ValueError("a key of use x509-svid has exactly one certificate")
    return [b64decode(each.x5c[0], validate=True) for each in keys]


def _is_root(certificate: x509.Certificate) -> bool:
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm  # noqa: PLC0415 - as above
    from cryptography.hazmat.primitives.asymmetric import ec, rsa  # noqa: PLC0415
    from cryptography.x509 import BasicConstraints, ExtensionNotFound  # noqa: PLC0415

    try:
        certificate.verify_directly_issued_by(certificate)
        constraints = certificate.extensions.get_extension_for_class(BasicConstraints).value
        key = certificate.public_key()
    except (InvalidSignature, UnsupportedAlgorithm, TypeError, ExtensionNotFound):
        return False
    return constraints.ca and isinstance(key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey)


def check_federable(federation: Federation, roots: RootsDoor) -> None:
    """Raises Invalid: bundles of several trust domains reach sidecars by the ConfigMaps of *roots* alone, and without
    CRLs (docs/decisions/0046)."""
    match federation, roots:
        case (NoFederation(), _) | (_, RootsMaps(revocation=Revocation.NONE)):
            return
        case _, RootsMaps():
            raise Invalid("federation.kind", "bundles", "none where authority.roots.revocation is crl")
        case _:
            raise Invalid("federation.kind", "bundles", "none unless authority.roots.kind is config-maps")


def own_domains(name: str, aliases: Iterable[str], federation: Federation) -> tuple[TrustDomain, ...]:
    """The trust domain by all its names, the one in use first. Raises Invalid: no name stands twice."""
    try:
        own = TrustDomain(name)
    except Invalid as problem:
        raise Invalid("trustDomain", problem.found, problem.allowed) from problem
    others = tuple(map(TrustDomain, aliases))
    foreign = federation.trust_domains if isinstance(federation, Bundles) else {}
    for alias in others:
        if (own, *others).count(alias) > 1:
            raise Invalid("trustDomainAliases", shown(alias.name), "other names than trustDomain, each once")
    for each in (own, *others):
        if each.name in foreign:
            raise Invalid("federation.trustDomains", shown(each.name), "trust domains of others")
    return (own, *others)
