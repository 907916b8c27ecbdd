"""The last look at an issued leaf: does it prove exactly what was asked, by the rules of SPIFFE and RFC 5280? Pure.

No rule here is shared with `profile`, so that a mistake made there is not repeated here.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar, Final, assert_never

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID

from ca.certificates import IssuingCertificate, PublicKey, validity
from ca.profile import LeafContents, ServingLeaf, WorkloadLeaf
from proa.errors import Invalid, Refused, shown

_SIGNS_ONLY: Final = x509.KeyUsage(
    digital_signature=True,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=False,
    crl_sign=False,
    encipher_only=False,
    decipher_only=False,
)
_NO_AUTHORITY: Final = x509.BasicConstraints(ca=False, path_length=None)
_SERVER: Final = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
_SERVER_AND_CLIENT: Final = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
_LONGEST_SHOWN: Final = 400  # a key usage as `cryptography` prints it, in full


@dataclass(eq=False)
class LeafUnfit(Refused):
    """We made a certificate that is not what was asked for. It must not leave; the fault is ours, not the caller's."""

    code: ClassVar[str] = "leaf_unfit"


@dataclass(frozen=True, slots=True)
class Asked:
    """What the leaf has to prove, for which key, under which issuer, and for how long at most."""

    contents: LeafContents
    public_key: PublicKey
    issuer: IssuingCertificate
    lifetime: timedelta


def inspect(leaf: x509.Certificate, asked: Asked) -> None:
    """Raise LeafUnfit with every difference between *leaf* and what was *asked*."""
    problems = (*_origin_problems(leaf, asked), *_validity_problems(leaf, asked), *_extension_problems(leaf, asked))
    if problems:
        raise LeafUnfit(f"the certificate for {asked.contents}", problems)


def _origin_problems(leaf: x509.Certificate, asked: Asked) -> Iterator[Invalid]:
    key, issuer = leaf.public_key(), asked.issuer
    if leaf.issuer != issuer.certificate.subject:
        yield Invalid("issuer", shown(leaf.issuer.rfc4514_string()), issuer.certificate.subject.rfc4514_string())
    if not _signed_by(leaf, issuer.public_key):
        yield Invalid("signature", "one that does not verify", "a signature by the issuer's key")
    if key != asked.public_key:
        yield Invalid("public key", "another key", "the key of the request")
    if key == issuer.public_key:
        yield Invalid("public key", "the issuer's own key", "a key of the leaf alone")
    if list(leaf.subject):
        yield Invalid("subject", shown(leaf.subject.rfc4514_string()), "empty")


def _signed_by(leaf: x509.Certificate, key: PublicKey) -> bool:
    """With the issuer's key as it was read once: faster than to read it from the certificate for every leaf."""
    digest = leaf.signature_hash_algorithm
    if digest is None:  # Ed25519, which no issuer of ours is
        return False
    try:
        match key:
            case ec.EllipticCurvePublicKey():
                key.verify(leaf.signature, leaf.tbs_certificate_bytes, ec.ECDSA(digest))
            case rsa.RSAPublicKey():
                key.verify(leaf.signature, leaf.tbs_certificate_bytes, PKCS1v15(), digest)
            case _:
                assert_never(key)
    except InvalidSignature:
        return False
    return True


def _validity_problems(leaf: x509.Certificate, asked: Asked) -> Iterator[Invalid]:
    found, issuer = validity(leaf), asked.issuer.validity
    if not found.within(issuer):
        yield Invalid("validity", str(found), f"within the issuer's, {issuer}")
    if found.lifetime > asked.lifetime:
        yield Invalid("lifetime", str(found.lifetime), f"at most {asked.lifetime}")


def _extension_problems(leaf: x509.Certificate, asked: Asked) -> Iterator[Invalid]:
    try:
        found = {item.oid: item for item in leaf.extensions}
    except ValueError as error:
        yield Invalid("extensions", shown(str(error)), "extensions that can be read")
        return
    for field, wanted in _wanted(asked):
        item = found.pop(wanted.oid, None)
        if item != wanted:
            yield Invalid(field, _printed(item) if item else "nothing", _printed(wanted))
    found.pop(ExtensionOID.SUBJECT_KEY_IDENTIFIER, None)
    if found:
        yield Invalid("extensions", ", ".join(oid.dotted_string for oid in found), "none beyond the profile's")


def _wanted(asked: Asked) -> Iterator[tuple[str, x509.Extension[x509.ExtensionType]]]:
    """Everything a leaf must have besides the identifier of its own key, compared whole: nothing may be added."""
    # X509-SVID §2: one URI, and it is the id. RFC 5280 §4.2.1.6: critical, because the subject is empty.
    yield "subject alternative name", _critical(_names(asked.contents))
    # X509-SVID §4.3: critical, digitalSignature, neither keyCertSign nor cRLSign.
    yield "key usage", _critical(_SIGNS_ONLY)
    # X509-SVID §4.4: a workload is both; a server found by name is nobody's client.
    yield "extended key usage", _plain(_SERVER_AND_CLIENT if isinstance(asked.contents, WorkloadLeaf) else _SERVER)
    yield "basic constraints", _critical(_NO_AUTHORITY)
    # RFC 5280 §4.2.1.1: the issuer's own identifier, never critical.
    yield "authority key identifier", _plain(x509.AuthorityKeyIdentifier(asked.issuer.key_identifier, None, None))


def _critical(value: x509.ExtensionType) -> x509.Extension[x509.ExtensionType]:
    return x509.Extension(value.oid, True, value)  # noqa: FBT003 the library's signature


def _plain(value: x509.ExtensionType) -> x509.Extension[x509.ExtensionType]:
    return x509.Extension(value.oid, False, value)  # noqa: FBT003 the library's signature


def _names(contents: LeafContents) -> x509.SubjectAlternativeName:
    match contents:
        case WorkloadLeaf(identity):
            return x509.SubjectAlternativeName([x509.UniformResourceIdentifier(identity.uri)])
        case ServingLeaf(dns_names, addresses):
            names = [x509.DNSName(name) for name in dns_names]
            return x509.SubjectAlternativeName([*names, *(x509.IPAddress(address) for address in addresses)])
        case _:
            assert_never(contents)


def _printed(item: x509.Extension[x509.ExtensionType]) -> str:
    return f"{'critical' if item.critical else 'not critical'} {shown(item.value, _LONGEST_SHOWN)}"
