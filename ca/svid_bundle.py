"""Roots as a SPIFFE bundle, which federated trust domains read (SPIFFE Trust Domain and Bundle §4). Pure."""

from base64 import b64encode, urlsafe_b64encode
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from proa.errors import Invalid
from proa.json import Json

REFRESH_HINT: Final = 3600
"""Seconds; a root is published for a day or more before it issues, unless an admin cuts that short."""


def spiffe_bundle(roots: tuple[x509.Certificate, ...]) -> Json:
    """A JWK set with one key for each root; `kid` is absent, as X509-SVID bundles want it."""
    return {"keys": [_key(root) for root in roots], "spiffe_refresh_hint": REFRESH_HINT}


def _key(root: x509.Certificate) -> Json:
    certificate = b64encode(root.public_bytes(Encoding.DER)).decode("ascii")
    return {**_parameters(root), "use": "x509-svid", "x5c": [certificate]}


def _parameters(root: x509.Certificate) -> dict[str, Json]:
    """RFC 7518 §6.2 and §6.3."""
    match root.public_key():
        case ec.EllipticCurvePublicKey() as key:
            numbers, size = key.public_numbers(), (key.curve.key_size + 7) // 8
            curve = f"P-{key.curve.key_size}"
            return {"kty": "EC", "crv": curve, "x": _number(numbers.x, size), "y": _number(numbers.y, size)}
        case rsa.RSAPublicKey() as key:
            rsa_numbers = key.public_numbers()
            return {"kty": "RSA", "n": _number(rsa_numbers.n), "e": _number(rsa_numbers.e)}
        case key:
            raise Invalid("root", type(key).__name__, "an ECDSA or RSA key")


def _number(value: int, size: int = 0) -> str:
    octets = value.to_bytes(size or (value.bit_length() + 7) // 8, "big")
    return urlsafe_b64encode(octets).rstrip(b"=").decode("ascii")
