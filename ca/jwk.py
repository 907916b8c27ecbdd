"""Public keys as JWKs (RFC 7517). Pure."""

from base64 import urlsafe_b64encode

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes

from proa.errors import Invalid


def parameters(key: CertificatePublicKeyTypes) -> dict[str, str]:
    """RFC 7518 §6.2 and §6.3. Raises Invalid where it is of another kind."""
    match key:
        case ec.EllipticCurvePublicKey():
            numbers, size = key.public_numbers(), (key.curve.key_size + 7) // 8
            curve = f"P-{key.curve.key_size}"
            return {"kty": "EC", "crv": curve, "x": _number(numbers.x, size), "y": _number(numbers.y, size)}
        case rsa.RSAPublicKey():
            rsa_numbers = key.public_numbers()
            return {"kty": "RSA", "n": _number(rsa_numbers.n), "e": _number(rsa_numbers.e)}
        case _:
            raise Invalid("key", type(key).__name__, "an ECDSA or RSA key")


def encoded(octets: bytes) -> str:
    """base64url without padding (RFC 7515 §2)."""
    return urlsafe_b64encode(octets).rstrip(b"=").decode("ascii")


def _number(value: int, size: int = 0) -> str:
    return encoded(value.to_bytes(size or (value.bit_length() + 7) // 8, "big"))
