"""The values the authority works with: a validity, an issuing certificate, a chain ready to leave. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias, TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256, SHA384
from cryptography.hazmat.primitives.serialization import Encoding

from proa.errors import Invalid, Problems

PublicKey: TypeAlias = ec.EllipticCurvePublicKey | rsa.RSAPublicKey
PrivateKey: TypeAlias = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
"""Both are abstract in `cryptography`: a key in an HSM or a cloud service fits by implementing `sign`."""

_Kind = TypeVar("_Kind", bound=x509.ExtensionType)


@dataclass(frozen=True, slots=True)
class Validity:
    """From when to when a certificate holds: aware, whole seconds, both ends included (RFC 5280 §4.1.2.5)."""

    not_before: datetime
    not_after: datetime

    def __post_init__(self) -> None:
        if self.not_after < self.not_before:
            raise Invalid("validity", str(self), "an end that is not before its beginning")

    def __str__(self) -> str:
        return f"{self.not_before:%Y-%m-%dT%H:%M:%SZ} to {self.not_after:%Y-%m-%dT%H:%M:%SZ}"

    @property
    def lifetime(self) -> timedelta:
        """Counted as Kubernetes counts it for a PodCertificateRequest: the plain difference, backdating included."""
        return self.not_after - self.not_before

    def within(self, outer: "Validity") -> bool:
        return outer.not_before <= self.not_before and self.not_after <= outer.not_after


def validity(certificate: x509.Certificate) -> Validity:
    return Validity(certificate.not_valid_before_utc, certificate.not_valid_after_utc)


@dataclass(frozen=True, slots=True)
class IssuingCertificate:
    """What a certificate takes from the one above it, read once for an issuer and not again for every leaf."""

    certificate: x509.Certificate
    public_key: PublicKey
    key_identifier: bytes
    validity: Validity


def issuing_certificate(certificate: x509.Certificate) -> IssuingCertificate:
    """*certificate* as an issuer; Refused names everything that keeps it from issuing (RFC 5280 §4.2.1)."""
    basic, usage = extension(certificate, x509.BasicConstraints), extension(certificate, x509.KeyUsage)
    identifier = extension(certificate, x509.SubjectKeyIdentifier)
    problems = Problems()
    if basic is None or not basic.value.ca:
        problems.add([Invalid("basic constraints", "no CA", "CA:TRUE")])
    if usage is None or not usage.value.key_cert_sign:
        problems.add([Invalid("key usage", "no keyCertSign", "keyCertSign")])
    if identifier is None:
        problems.add([Invalid("subject key identifier", "nothing", "one that leaves can point to")])
    key = certificate.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey):
        raise Invalid("the issuer's public key", type(key).__name__, "ECDSA or RSA")
    problems.refuse("the issuer's certificate")
    digest = identifier.value.digest if identifier else b""
    return IssuingCertificate(certificate, key, digest, validity(certificate))


@dataclass(frozen=True, slots=True)
class Chain:
    """A leaf and the certificates between it and the root, nearest first. The root is never in it."""

    leaf: x509.Certificate
    intermediates: tuple[x509.Certificate, ...]

    def __post_init__(self) -> None:
        if any(certificate.issuer == certificate.subject for certificate in self.intermediates):
            raise Invalid(
                "chain", "a self-issued certificate", "the leaf and intermediates; roots travel in the bundle"
            )

    @property
    def pem(self) -> str:
        return pem(self.leaf, *self.intermediates)

    @property
    def serial(self) -> int:
        return self.leaf.serial_number

    @property
    def not_before(self) -> datetime:
        return self.leaf.not_valid_before_utc

    @property
    def not_after(self) -> datetime:
        return self.leaf.not_valid_after_utc

    @property
    def begin_refresh_at(self) -> datetime:
        """Half of the life, in whole seconds.

        Kubernetes wants it ten minutes or more from either end (PodCertificateRequest status); half of the
        shortest life, an hour, always is.
        """
        return (self.not_before + (self.not_after - self.not_before) / 2).replace(microsecond=0)


def pem(*certificates: x509.Certificate) -> str:
    return "".join(certificate.public_bytes(Encoding.PEM).decode("ascii") for certificate in certificates)


def digest(key: PrivateKey) -> SHA256 | SHA384:
    """Of what *key* signs: no weaker than the key itself (RFC 5480 §4)."""
    strong = isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.key_size > 256
    return SHA384() if strong else SHA256()


def fingerprint(certificate: x509.Certificate) -> str:
    """SHA-256 of the DER, hexadecimal: what `openssl x509 -fingerprint -sha256` prints, without colons."""
    return certificate.fingerprint(SHA256()).hex()


def extension(certificate: x509.Certificate, kind: type[_Kind]) -> x509.Extension[_Kind] | None:
    """The extension of this *kind*, or None. Raises ValueError when the extensions cannot be read at all."""
    try:
        return certificate.extensions.get_extension_for_class(kind)
    except x509.ExtensionNotFound:
        return None


def issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Whether *issuer* is named in *certificate* and its key made the signature."""
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, UnsupportedAlgorithm, TypeError, ValueError):
        return False
    return True
