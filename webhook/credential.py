"""A server's private key and certificate chain, from the bytes of its files, or why they cannot be served. Pure."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509 import (
    BasicConstraints,
    Certificate,
    CertificateBuilder,
    Name,
    NameAttribute,
    load_pem_x509_certificates,
    random_serial_number,
)
from cryptography.x509.oid import NameOID

from proa.errors import Invalid

PrivateKey: TypeAlias = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
_KEYS: Final = "an unencrypted PEM key: EC, RSA or Ed25519"
_PROCESS_LIFETIME: Final = timedelta(days=3650)
_TIME: Final = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True, slots=True)
class Credential:
    """A key and the chain that belongs to it, the leaf first. *pem* holds both, key first, and is never shown."""

    pem: bytes = field(repr=False)
    leaf: Certificate

    @property
    def expires(self) -> datetime:
        return self.leaf.not_valid_after_utc


def credential(pem: bytes, now: datetime) -> Credential:
    """What *pem*, a key and its chain in any order, can be served as at *now*. Raises Invalid, which shows no key."""
    chain, key = _chain(pem), _key(pem)
    leaf = chain[0]
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if key.public_key().public_bytes(*form) != leaf.public_key().public_bytes(*form):
        raise Invalid("private key", "one of another certificate", "the key of the chain's first certificate")
    begins, ends = leaf.not_valid_before_utc, leaf.not_valid_after_utc
    if not begins <= now <= ends:
        raise Invalid(
            "certificate", f"one valid from {begins:{_TIME}} to {ends:{_TIME}}", f"one valid at {now:{_TIME}}"
        )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return Credential(private + b"".join(each.public_bytes(Encoding.PEM) for each in chain), leaf)


def ephemeral(now: datetime) -> Credential:
    """A client's certificate that is its own root, made for this process alone and for as long as it may run."""
    key, name = ec.generate_private_key(ec.SECP256R1()), Name([NameAttribute(NameOID.COMMON_NAME, "proa-self-test")])
    builder = CertificateBuilder(name, name, key.public_key(), random_serial_number())
    built = builder.not_valid_before(now - timedelta(hours=1)).not_valid_after(now + _PROCESS_LIFETIME)
    leaf = built.add_extension(BasicConstraints(ca=False, path_length=None), critical=True).sign(key, SHA256())
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return Credential(private + leaf.public_bytes(Encoding.PEM), leaf)


def _chain(pem: bytes) -> list[Certificate]:
    try:
        return load_pem_x509_certificates(pem)
    except ValueError as error:
        raise Invalid("certificate", "none that can be read", "a PEM chain, the leaf first") from error


def _key(pem: bytes) -> PrivateKey:
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        # Without its cause: what a parser says of a key stays out of every traceback.
        raise Invalid("private key", "none that can be read", _KEYS) from None
    if not isinstance(key, PrivateKey):
        raise Invalid("private key", f"a {type(key).__name__}", _KEYS)
    return key
