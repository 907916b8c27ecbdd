"""The last look at an issued leaf: does it prove exactly what was asked, by the rules of SPIFFE and RFC 5280? Pure.

Its DER is cut open again, and compared with what it has to be. No rule here is shared with `leaf`, so that a mistake
made there is not repeated here.
"""

from dataclasses import dataclass
from typing import ClassVar, Final, assert_never

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256, SHA384
from cryptography.x509.oid import ExtensionOID

from ca.certificates import IssuingCertificate, PublicKey, key_identifier
from ca.custody import MadeElsewhere, MadeHere, Signature
from ca.der import OCTET_STRING, SEQUENCE, framed
from ca.differences import (
    NO_AUTHORITY,
    SERVER,
    SERVER_AND_CLIENT,
    SIGNS_ONLY,
    Asked,
    bounds,
    differences,
    names,
)
from ca.fields import EXTENSIONS, Fields, fields
from ca.profile import WorkloadLeaf
from ca.signature import verifies
from proa.errors import Invalid, Refused, shown


@dataclass(eq=False)
class LeafUnfit(Refused):
    """We made a certificate that is not what was asked for. It must not leave; the fault is ours, not the caller's."""

    code: ClassVar[str] = "leaf_unfit"


@dataclass(frozen=True, slots=True)
class Yardstick:
    """What every leaf of one issuer must have, to the byte."""

    algorithm: bytes
    digest: SHA256 | SHA384
    of_a_workload: bytes
    of_a_server: bytes
    """The extensions behind the one that differs from key to key, without the last one, the names."""


def yardstick(issuer: IssuingCertificate) -> Yardstick:
    pointer = _plain(x509.AuthorityKeyIdentifier(issuer.key_identifier, None, None))
    algorithm, digest = _algorithm(issuer.public_key)
    return Yardstick(algorithm, digest, pointer + _plain(SERVER_AND_CLIENT), pointer + _plain(SERVER))


def inspected(made: bytes, signature: Signature, asked: Asked, by: Yardstick) -> x509.Certificate:
    """*made* (DER) as the library reads it; LeafUnfit with every difference between it and what was *asked*, and where
    it is not what *signature* was made for.

    Compared byte for byte *by* what the issuer's leaves must have, as a leaf can be written in one way only. Where that
    fails, the library finds the words: to read all of a leaf takes it as long as to make one.
    """
    try:
        leaf, found = x509.load_der_x509_certificate(made), fields(made)
        if not any(bounds(leaf, asked)) and _as_asked(found, asked, by) and _signed(found, signature, asked.issuer, by):
            return leaf
        problems = tuple(differences(leaf, found, asked)) or (_OTHERWISE,)
    except _UNREADABLE as error:
        problems = (Invalid("certificate", shown(str(error)), "X.509 version 3 in DER, all of it readable"),)
    raise LeafUnfit(f"the certificate for {asked.contents}", problems)


def _as_asked(found: Fields, asked: Asked, by: Yardstick) -> bool:
    """All but serial number, validity and signature."""
    return (
        found.inner_algorithm == found.algorithm == by.algorithm
        and found.issuer == asked.issuer.name
        and found.subject == _NOBODY
        and found.public_key == asked.key != asked.issuer.key
        and found.extensions == _extensions(asked, by)
    )


def _signed(found: Fields, signature: Signature, issuer: IssuingCertificate, by: Yardstick) -> bool:
    """Whether *signature*, which stands in what was *found* to the octet, is *issuer*'s for it: made here by its own
    key, or verified (docs/decisions/0056)."""
    if (found.tbs, found.signature) != (signature.message, signature.value):
        return False
    match signature:
        case MadeHere():
            return signature.issuer is issuer
        case MadeElsewhere():
            return verifies(issuer.public_key, found.signature, found.tbs, by.digest)
        case _:
            assert_never(signature)


def _algorithm(key: PublicKey) -> tuple[bytes, SHA256 | SHA384]:
    """Its AlgorithmIdentifier: RFC 4055 §5 with NULL for parameters, RFC 5758 §3.2 with none."""
    if isinstance(key, rsa.RSAPublicKey):
        return _RSA
    return _ECDSA if key.curve.key_size == 256 else _STRONG_ECDSA


def _extensions(asked: Asked, by: Yardstick) -> bytes:
    """In the one order in which they are made: none twice, none missing."""
    proof = by.of_a_workload if isinstance(asked.contents, WorkloadLeaf) else by.of_a_server
    listed = _FIRST + key_identifier(asked.key) + proof + _critical(names(asked.contents))
    return framed(EXTENSIONS, framed(SEQUENCE, listed))


def _plain(value: x509.ExtensionType) -> bytes:
    return framed(SEQUENCE, _IDENTIFIERS[value.oid] + framed(OCTET_STRING, value.public_bytes()))


def _critical(value: x509.ExtensionType) -> bytes:
    return framed(SEQUENCE, _IDENTIFIERS[value.oid] + b"\x01\x01\xff" + framed(OCTET_STRING, value.public_bytes()))


# RFC 5280 appendix A.2; X.690 §8.19 writes 2.5 as one octet, 40 times 2 and 5.
_IDENTIFIERS: Final = {
    ExtensionOID.SUBJECT_KEY_IDENTIFIER: bytes.fromhex("0603551d0e"),
    ExtensionOID.KEY_USAGE: bytes.fromhex("0603551d0f"),
    ExtensionOID.SUBJECT_ALTERNATIVE_NAME: bytes.fromhex("0603551d11"),
    ExtensionOID.BASIC_CONSTRAINTS: bytes.fromhex("0603551d13"),
    ExtensionOID.AUTHORITY_KEY_IDENTIFIER: bytes.fromhex("0603551d23"),
    ExtensionOID.EXTENDED_KEY_USAGE: bytes.fromhex("0603551d25"),
}
_UNREADABLE: Final = (
    Invalid,
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)
"""What the library raises, at once or where it reads a part at last."""
_NOBODY: Final = b"\x30\x00"
_RSA: Final = (bytes.fromhex("300d 0609 2a864886f70d01010b 0500"), SHA256())
_ECDSA: Final = (bytes.fromhex("300a 0608 2a8648ce3d040302"), SHA256())
_STRONG_ECDSA: Final = (bytes.fromhex("300a 0608 2a8648ce3d040303"), SHA384())
_SOME_KEY: Final = bytes(20)
_FIRST: Final = (
    _critical(NO_AUTHORITY)
    + _critical(SIGNS_ONLY)
    + _plain(x509.SubjectKeyIdentifier(_SOME_KEY)).removesuffix(_SOME_KEY)
)
_OTHERWISE: Final = Invalid("encoding", "another", "the one way to write such a leaf")
