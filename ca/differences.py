"""What is different in a leaf from what was asked, field by field, as the library reads it. Pure.

No rule here is shared with `leaf`, so that a mistake made there is not repeated here.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, assert_never

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from ca.certificates import IssuingCertificate, encoded_key, key_identifier, validity
from ca.fields import Fields
from ca.profile import LeafContents, ServingLeaf, WorkloadLeaf
from ca.signature import verifies
from proa.errors import Invalid, shown

SIGNS_ONLY: Final = x509.KeyUsage(
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
NO_AUTHORITY: Final = x509.BasicConstraints(ca=False, path_length=None)
SERVER: Final = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
SERVER_AND_CLIENT: Final = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
_SERIALS: Final = 2 ** (20 * 8 - 1)
_LONGEST_SHOWN: Final = 400  # a key usage as `cryptography` prints it, in full


@dataclass(frozen=True, slots=True)
class Asked:
    """What the leaf has to prove, for which key, under which issuer, and for how long at most."""

    contents: LeafContents
    key: bytes
    """A SubjectPublicKeyInfo in DER."""
    issuer: IssuingCertificate
    lifetime: timedelta


def differences(leaf: x509.Certificate, found: Fields, asked: Asked) -> Iterator[Invalid]:
    """Every one, between *leaf*, which was cut into *found*, and what was *asked*; those of `bounds` too."""
    yield from _origin_problems(leaf, found, asked)
    yield from bounds(leaf, asked)
    yield from _extension_problems(leaf, asked)


def bounds(leaf: x509.Certificate, asked: Asked) -> Iterator[Invalid]:
    """What is wrong with the fields that no rule fixes to the byte: serial number and validity."""
    if not 0 < leaf.serial_number < _SERIALS:
        yield Invalid("serial number", shown(leaf.serial_number), "a positive one of at most 20 octets")
    found, issuer = validity(leaf), asked.issuer.validity
    if not found.within(issuer):
        yield Invalid("validity", str(found), f"within the issuer's, {issuer}")
    if found.lifetime > asked.lifetime:
        yield Invalid("lifetime", str(found.lifetime), f"at most {asked.lifetime}")


def _origin_problems(leaf: x509.Certificate, found: Fields, asked: Asked) -> Iterator[Invalid]:
    issuer, digest = asked.issuer, leaf.signature_hash_algorithm
    if found.issuer != issuer.name:
        yield Invalid("issuer", shown(leaf.issuer.rfc4514_string()), issuer.certificate.subject.rfc4514_string())
    # No digest: Ed25519, which no issuer of ours is.
    if digest is None or not verifies(issuer.public_key, found.signature, found.tbs, digest):
        yield Invalid("signature", "one that does not verify", "a signature by the issuer's key")
    if found.public_key != asked.key:
        yield Invalid("public key", "another key", "the key of the request")
    if found.public_key == encoded_key(issuer.public_key):
        yield Invalid("public key", "the issuer's own key", "a key of the leaf alone")
    if list(leaf.subject):
        yield Invalid("subject", shown(leaf.subject.rfc4514_string()), "empty")


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
    if found:
        yield Invalid("extensions", ", ".join(oid.dotted_string for oid in found), "none beyond the profile's")


def _wanted(asked: Asked) -> Iterator[tuple[str, x509.Extension[x509.ExtensionType]]]:
    """Everything a leaf must have, compared whole: nothing may be added."""
    # X509-SVID §2: one URI, and it is the id. RFC 5280 §4.2.1.6: critical, because the subject is empty.
    yield "subject alternative name", _critical(names(asked.contents))
    # X509-SVID §4.3: critical, digitalSignature, neither keyCertSign nor cRLSign.
    yield "key usage", _critical(SIGNS_ONLY)
    # X509-SVID §4.4: a workload is both; a server found by name is nobody's client.
    yield "extended key usage", _plain(SERVER_AND_CLIENT if isinstance(asked.contents, WorkloadLeaf) else SERVER)
    yield "basic constraints", _critical(NO_AUTHORITY)
    # RFC 5280 §4.2.1.1: the issuer's own identifier, never critical.
    yield "authority key identifier", _plain(x509.AuthorityKeyIdentifier(asked.issuer.key_identifier, None, None))
    # RFC 5280 §4.2.1.2, never critical.
    yield "subject key identifier", _plain(x509.SubjectKeyIdentifier(key_identifier(asked.key)))


def _critical(value: x509.ExtensionType) -> x509.Extension[x509.ExtensionType]:
    return x509.Extension(value.oid, True, value)  # noqa: FBT003 the library's signature


def _plain(value: x509.ExtensionType) -> x509.Extension[x509.ExtensionType]:
    return x509.Extension(value.oid, False, value)  # noqa: FBT003 the library's signature


def names(contents: LeafContents) -> x509.SubjectAlternativeName:
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
