"""Make the cluster's keys and certificates. Shell: randomness, the clock and files."""

from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from launcher.certificates import SUBJECTS, authority_certificate, subject_certificate, validity


def make_certificates(directory: Path) -> None:
    """Fill *directory*: `ca` and every subject's file as .crt and .key, and the pair that signs tokens."""
    directory.mkdir(parents=True, mode=0o700)
    valid = validity(datetime.now(UTC))
    authority = generate_private_key(SECP256R1())
    builder = authority_certificate(authority.public_key(), x509.random_serial_number(), valid)
    _write(directory / "ca", authority, builder.sign(authority, SHA256()))
    for subject in SUBJECTS:
        key = generate_private_key(SECP256R1())
        leaf = subject_certificate(subject, key.public_key(), x509.random_serial_number(), valid)
        _write(directory / subject.file, key, leaf.sign(authority, SHA256()))
    tokens = generate_private_key(SECP256R1())
    _write_key(directory / "tokens.key", tokens)
    (directory / "tokens.pub").write_bytes(
        tokens.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )


def _write(stem: Path, key: EllipticCurvePrivateKey, certificate: x509.Certificate) -> None:
    stem.with_suffix(".crt").write_bytes(certificate.public_bytes(Encoding.PEM))
    _write_key(stem.with_suffix(".key"), key)


def _write_key(path: Path, key: EllipticCurvePrivateKey) -> None:
    path.touch(mode=0o600)
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
