"""The values the authority works with: a validity, an issuing certificate, a chain ready to leave. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha1
from typing import Final, TypeAlias, TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ca.der import BIT_STRING, SEQUENCE, elements, only, value
from ca.fields import fields
from proa.errors import Invalid, Problems

PublicKey: TypeAlias = ec.EllipticCurvePublicKey | rsa.RSAPublicKey
PrivateKey: TypeAlias = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
"""One that lies elsewhere is a `key_uri.KeyElsewhere`."""

_UNREADABLE: Final = (
    TypeError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)
"""What the library raises beside ValueError."""
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
    name: bytes
    """Its subject as it stands there, DER: Go and others compare names byte for byte."""
    key: bytes
    """*public_key* as `encoded_key` writes it."""


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
    name = fields(certificate.public_bytes(Encoding.DER)).subject
    return IssuingCertificate(certificate, key, digest, validity(certificate), name, encoded_key(key))


@dataclass(frozen=True, slots=True)
class Printed:
    """A certificate and its PEM, made once for one that goes into many chains."""

    certificate: x509.Certificate
    pem: str
    self_issued: bool


def printed(certificate: x509.Certificate) -> Printed:
    return Printed(certificate, pem(certificate), certificate.issuer == certificate.subject)


@dataclass(frozen=True, slots=True)
class Chain:
    """A leaf and the certificates between it and the root, nearest first. The root is never in it."""

    issued: Printed
    above: tuple[Printed, ...]

    def __post_init__(self) -> None:
        if any(each.self_issued for each in self.above):
            raise Invalid(
                "chain", "a self-issued certificate", "the leaf and intermediates; roots travel in the bundle"
            )

    @property
    def leaf(self) -> x509.Certificate:
        return self.issued.certificate

    @property
    def intermediates(self) -> tuple[x509.Certificate, ...]:
        return tuple(each.certificate for each in self.above)

    @property
    def texts(self) -> tuple[str, ...]:
        """Each certificate as PEM."""
        return (self.issued.pem, *(each.pem for each in self.above))

    @property
    def pem(self) -> str:
        return "".join(self.texts)

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


def readable_certificates(content: bytes) -> tuple[x509.Certificate, ...]:
    """Those in *content*, PEM, with extensions and a key that the library can read. Raises ValueError."""
    try:
        found = tuple(x509.load_pem_x509_certificates(content))
        for certificate in found:
            # Read late by the library, and named by it in no way a user could mend.
            _ = certificate.extensions, certificate.public_key()
    except _UNREADABLE as error:
        raise ValueError(str(error)) from error
    return found


def pem(*certificates: x509.Certificate) -> str:
    return "".join(certificate.public_bytes(Encoding.PEM).decode("ascii") for certificate in certificates)


def der(certificates: Iterable[x509.Certificate]) -> bytes:
    """One after the other, as SPIFFE's Workload API has them (§5.1)."""
    return b"".join(certificate.public_bytes(Encoding.DER) for certificate in certificates)


def encoded_key(key: PublicKey) -> bytes:
    """*key* as a SubjectPublicKeyInfo (RFC 5280 §4.1.2.7), DER."""
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def key_identifier(key: bytes) -> bytes:
    """Of *key*, as `encoded_key` writes it, by the first way of RFC 5280 §4.2.1.2: a name, and no protection."""
    _, bits = elements(only(key, SEQUENCE))
    return sha1(value(bits, BIT_STRING)[1:], usedforsecurity=False).digest()


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
