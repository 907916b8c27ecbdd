"""A leaf before it is signed: the DER of its TBSCertificate (RFC 5280 §4.1), by SPIFFE's rules for a workload's. Pure.

Every value but numbers, times and an identity's URI is encoded by the library, once where it never changes; what is put
together here is their order and their frames (docs/decisions/0033).
"""

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Final, assert_never

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from ca.certificates import IssuingCertificate, Validity, key_identifier
from ca.der import GENERALIZED_TIME, INTEGER, OCTET_STRING, SEQUENCE, UTC_TIME, framed
from ca.fields import EXTENSIONS, V3
from ca.profile import LeafContents, ServingLeaf, WorkloadLeaf, key_usage
from ca.signature import algorithm, signed_element

_NOBODY: Final = framed(SEQUENCE, b"")
"""No subject, so that the names are a critical extension (RFC 5280 §4.2.1.6)."""
_URI: Final = 0x86
"""The tag of a uniformResourceIdentifier, [6] (RFC 5280 §4.2.1.6)."""
_CRITICAL: Final = bytes.fromhex("0101ff")
_LAST_UTC_YEAR: Final = 2049  # RFC 5280 §4.1.2.5


@dataclass(frozen=True, slots=True)
class LeafForm:
    """What all leaves of one issuer share, written once."""

    algorithm: bytes
    origin: bytes
    """*algorithm* and the issuer's name."""
    of_a_workload: bytes
    of_a_server: bytes
    """Extensions: the pointer to the issuer's key, and the usages."""


def leaf_form(issuer: IssuingCertificate) -> LeafForm:
    """The pointer is copied, not computed again, as issuers from elsewhere may have used another way."""
    pointer = _extension(35, x509.AuthorityKeyIdentifier(issuer.key_identifier, None, None).public_bytes())
    named = algorithm(issuer.public_key)
    # X509-SVID §4.4: a workload is both, or neither side of a connection can rely on it.
    return LeafForm(named, named + issuer.name, pointer + _SERVER_AND_CLIENT, pointer + _SERVER)


def leaf_tbs(form: LeafForm, contents: LeafContents, key: bytes, validity: Validity, serial: int) -> bytes:
    """What the issuer of *form* has to sign for a leaf that proves *contents* for *key*, a SubjectPublicKeyInfo in DER.
    *serial* is positive and has at most 159 bits."""
    extensions = _FIXED + key_identifier(key) + _proof(form, contents)
    fields = (
        V3,
        framed(INTEGER, serial.to_bytes(serial.bit_length() // 8 + 1, "big")),
        form.origin,
        _span(validity.not_before, validity.not_after),
        _NOBODY,
        key,
        framed(EXTENSIONS, framed(SEQUENCE, extensions)),
    )
    return framed(SEQUENCE, b"".join(fields))


def certificate(form: LeafForm, tbs: bytes, signature: bytes) -> bytes:
    """The certificate that *signature* makes of *tbs*, DER."""
    return signed_element(tbs, form.algorithm, signature)


def _extension(number: int, content: bytes, *, critical: bool = False) -> bytes:
    """Of the arc id-ce, 2.5.29 (RFC 5280 §4.2.1), which X.690 §8.19.4 writes as 55 1d."""
    head = bytes((6, 3, 0x55, 0x1D, number)) + (_CRITICAL if critical else b"")
    return framed(SEQUENCE, head + framed(OCTET_STRING, content))


@lru_cache(maxsize=16)
def _span(not_before: datetime, not_after: datetime) -> bytes:
    """Leaves that are issued in one second share it."""
    return framed(SEQUENCE, _time(not_before) + _time(not_after))


def _time(moment: datetime) -> bytes:
    year, *rest = moment.year, moment.month, moment.day, moment.hour, moment.minute, moment.second
    if year <= _LAST_UTC_YEAR:
        return framed(UTC_TIME, b"%02d%02d%02d%02d%02d%02dZ" % (year % 100, *rest))
    return framed(GENERALIZED_TIME, b"%04d%02d%02d%02d%02d%02dZ" % (year, *rest))


def _proof(form: LeafForm, contents: LeafContents) -> bytes:
    """The extensions that say who the leaf's owner is, and as what."""
    match contents:
        case WorkloadLeaf(identity):
            names = framed(SEQUENCE, framed(_URI, identity.uri.encode("ascii")))
            return form.of_a_workload + _extension(17, names, critical=True)
        case ServingLeaf(dns_names, addresses):
            named = x509.SubjectAlternativeName([*map(x509.DNSName, dns_names), *map(x509.IPAddress, addresses)])
            return form.of_a_server + _extension(17, named.public_bytes(), critical=True)
        case _:
            assert_never(contents)


_IDENTIFIER: Final = 20
"""Octets."""
_FIXED: Final = b"".join(
    (
        _extension(19, x509.BasicConstraints(ca=False, path_length=None).public_bytes(), critical=True),
        _extension(15, key_usage(digital_signature=True).public_bytes(), critical=True),
        _extension(14, framed(OCTET_STRING, bytes(_IDENTIFIER)))[:-_IDENTIFIER],
    )
)
"""No right to issue, and to sign what is no certificate; and all of the own key's identifier but itself."""
_SERVER: Final = _extension(37, x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]).public_bytes())
_SERVER_AND_CLIENT: Final = _extension(
    37, x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]).public_bytes()
)
