"""Signatures: made by an issuer's key, checked by a public one, named as certificates name them. Pure."""

from typing import Final, assert_never

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512, HashAlgorithm

from ca.certificates import PrivateKey, PublicKey
from ca.der import BIT_STRING, SEQUENCE, framed

_PADDING: Final = PKCS1v15()
_SHA256: Final = SHA256()
_SHA384: Final = SHA384()
_ECDSA: Final = {each.name: ec.ECDSA(each) for each in (_SHA256, _SHA384, SHA512())}

# AlgorithmIdentifiers: RFC 5758 §3.2, without parameters, and RFC 4055 §5, with NULL for them.
ECDSA_WITH_SHA256: Final = bytes.fromhex("300a06082a8648ce3d040302")
ECDSA_WITH_SHA384: Final = bytes.fromhex("300a06082a8648ce3d040303")
RSA_WITH_SHA256: Final = bytes.fromhex("300d06092a864886f70d01010b0500")


def digest(key: PrivateKey | PublicKey) -> SHA256 | SHA384:
    """Of what *key* signs: no weaker than the key itself (RFC 5480 §4)."""
    match key:
        case ec.EllipticCurvePrivateKey() | ec.EllipticCurvePublicKey() if key.curve.key_size > 256:
            return _SHA384
        case _:
            return _SHA256


def algorithm(key: PublicKey) -> bytes:
    """The AlgorithmIdentifier (DER) of what `sign` makes with the private half of *key*."""
    if isinstance(key, rsa.RSAPublicKey):
        return RSA_WITH_SHA256
    return ECDSA_WITH_SHA384 if digest(key) is _SHA384 else ECDSA_WITH_SHA256


def sign(key: PrivateKey, message: bytes) -> bytes:
    match key:
        case ec.EllipticCurvePrivateKey():
            return key.sign(message, _ECDSA[digest(key).name])
        case rsa.RSAPrivateKey():
            return key.sign(message, _PADDING, digest(key))
        case _:
            assert_never(key)


def signed_element(tbs: bytes, algorithm: bytes, signature: bytes) -> bytes:
    """What *signature* makes of *tbs*: a certificate (RFC 5280 §4.1) or a list of revoked ones (§5.1), DER."""
    return framed(SEQUENCE, tbs + algorithm + framed(BIT_STRING, b"\0" + signature))


def verifies(key: PublicKey, signature: bytes, message: bytes, hashed_by: HashAlgorithm) -> bool:
    """Whether the private half of *key* made *signature*: ECDSA, or RSA by PKCS #1 v1.5, with SHA-256, 384 or 512."""
    if hashed_by.name not in _ECDSA:
        return False
    try:
        match key:
            case ec.EllipticCurvePublicKey():
                key.verify(signature, message, _ECDSA[hashed_by.name])
            case rsa.RSAPublicKey():
                key.verify(signature, message, _PADDING, hashed_by)
            case _:
                assert_never(key)
    except InvalidSignature:
        return False
    return True
