"""A certificate cut into its fields (RFC 5280 §4.1), none of them read: for comparing them byte for byte. Pure."""

from typing import Final, NamedTuple

from ca import der
from proa.errors import Invalid

V3: Final = bytes.fromhex("a003020102")
EXTENSIONS: Final = 0xA3


class Fields(NamedTuple):
    """Each with its frame, but for *signature*, which is the value alone."""

    tbs: bytes
    """What is signed: all that follows here until *extensions*."""
    version: bytes
    serial: bytes
    inner_algorithm: bytes
    issuer: bytes
    validity: bytes
    subject: bytes
    public_key: bytes
    extensions: bytes
    algorithm: bytes
    signature: bytes


def fields(certificate: bytes) -> Fields:
    """The fields of *certificate*, DER of version 3. Raises Invalid for anything else, such as unique identifiers."""
    match der.elements(der.only(certificate, der.SEQUENCE)):
        case [tbs, algorithm, signature]:
            inner = der.elements(der.value(tbs, der.SEQUENCE))
        case parts:
            raise Invalid("certificate", f"{len(parts)} parts", "what is signed, an algorithm, a signature")
    bits = der.value(signature, der.BIT_STRING)
    if bits[:1] != b"\0":
        raise Invalid("signature", "bits that are no octets", "no unused bits")
    match inner:
        case [version, _, _, _, _, _, _, extensions] if version == V3 and extensions[0] == EXTENSIONS:
            return Fields._make((tbs, *inner, algorithm, bits[1:]))
        case _:
            raise Invalid("certificate", f"{len(inner)} fields", "the eight of version 3 with extensions")
