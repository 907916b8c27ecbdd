"""Fresh keys and serial numbers: the only place in `ca` that makes either. Shell."""

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec


def new_key() -> ec.EllipticCurvePrivateKey:
    """ECDSA P-256: the fastest to sign with, and what every TLS peer takes."""
    return ec.generate_private_key(ec.SECP256R1())


def new_serial() -> int:
    """159 random bits: unique without a counter that replicas would have to share (RFC 5280 §4.1.2.2: 20 octets)."""
    return x509.random_serial_number()
