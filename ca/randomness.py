"""Fresh keys and serial numbers: the only place in `ca` that makes either. Shell."""

from typing import Final, assert_never

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from ca.certificates import PrivateKey
from proa.mesh import IssuerKey

_EXPONENT: Final = 65537


def new_key() -> ec.EllipticCurvePrivateKey:
    """ECDSA P-256: the fastest to sign with, and what every TLS peer takes."""
    return ec.generate_private_key(ec.SECP256R1())


def new_issuer_key(kind: IssuerKey) -> PrivateKey:
    """RSA takes a second or more, so not in an event loop."""
    match kind:
        case IssuerKey.ECDSA_P256:
            return new_key()
        case IssuerKey.ECDSA_P384:
            return ec.generate_private_key(ec.SECP384R1())
        case IssuerKey.RSA_2048 | IssuerKey.RSA_3072 | IssuerKey.RSA_4096:
            return rsa.generate_private_key(_EXPONENT, int(kind.removeprefix("rsa-")))
        case _:
            assert_never(kind)


def new_serial() -> int:
    """159 random bits: unique without a counter that replicas would have to share (RFC 5280 §4.1.2.2: 20 octets)."""
    return x509.random_serial_number()
