"""What is wrong with a certificate by RFC 5280, X509-SVID and what Envoy verifies, whoever made it. Pure.

Shares no rule with `profile`, which makes ours, nor with `inspection`, which compares them with what was asked.
"""

from collections.abc import Iterator
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.x509.oid import ExtendedKeyUsageOID, SignatureAlgorithmOID

from ca.certificates import extension, validity
from ca.csr import CsrRejected, certifiable_key
from proa.errors import Invalid, shown
from proa.identity import parsed_identity

_LONGEST_SERIAL: Final = 159
"""Bits: 20 octets, the first bit being the sign (RFC 5280 §4.1.2.2)."""
_SIGNATURES: Final = frozenset(
    {
        SignatureAlgorithmOID.ECDSA_WITH_SHA256,
        SignatureAlgorithmOID.ECDSA_WITH_SHA384,
        SignatureAlgorithmOID.ECDSA_WITH_SHA512,
        SignatureAlgorithmOID.RSA_WITH_SHA256,
        SignatureAlgorithmOID.RSA_WITH_SHA384,
        SignatureAlgorithmOID.RSA_WITH_SHA512,
    }
)
_SPIFFE: Final = "spiffe://"


def faults(certificate: x509.Certificate) -> tuple[Invalid, ...]:
    """Everything; a certificate that cannot be read has that one fault."""
    if problem := unreadable(certificate):
        return (Invalid("the certificate", shown(problem), "what can be read, each extension once (RFC 5280 §4.1)"),)
    special = _of_an_issuer(certificate) if issues(certificate) else _of_a_leaf(certificate)
    return (*_of_any(certificate), *special)


def unreadable(certificate: x509.Certificate) -> str:
    """Why its names or extensions cannot be read, which the library does late; empty where they can."""
    try:
        _ = certificate.extensions, certificate.subject, certificate.issuer, validity(certificate)
        _ = certificate.version, certificate.signature_algorithm_oid
    except (Invalid, ValueError, x509.DuplicateExtension, x509.InvalidVersion) as error:
        return str(error) or type(error).__name__
    return ""


def issues(certificate: x509.Certificate) -> bool:
    """Whether it says of itself that it may sign others."""
    basic = extension(certificate, x509.BasicConstraints)
    return basic is not None and basic.value.ca


def uris(certificate: x509.Certificate) -> list[str]:
    names = extension(certificate, x509.SubjectAlternativeName)
    return names.value.get_values_for_type(x509.UniformResourceIdentifier) if names else []


def _of_any(certificate: x509.Certificate) -> Iterator[Invalid]:
    serial = certificate.serial_number
    if serial <= 0 or serial.bit_length() > _LONGEST_SERIAL:
        yield Invalid("serial", f"{serial:x}", "positive, 20 octets at most (RFC 5280 §4.1.2.2)")
    if certificate.version is not x509.Version.v3:
        yield Invalid("version", certificate.version.name, "v3, as there are extensions (RFC 5280 §4.1.2.1)")
    if not list(certificate.issuer):
        yield Invalid("issuer", "empty", "a name (RFC 5280 §4.1.2.4)")
    if certificate.signature_algorithm_oid not in _SIGNATURES:
        found = certificate.signature_algorithm_oid.dotted_string
        yield Invalid("signature algorithm", found, "ECDSA or RSA with SHA-256 or better, as Envoy verifies")
    yield from _of_the_key(certificate)
    yield from _of_identifiers(certificate)
    yield from _of_unknown_extensions(certificate)


def _of_the_key(certificate: x509.Certificate) -> Iterator[Invalid]:
    try:
        certifiable_key(certificate.public_key())
    except CsrRejected as problem:
        yield Invalid(problem.field, problem.found, problem.allowed)
    except (ValueError, UnsupportedAlgorithm):
        yield Invalid("public key", "one that cannot be read", "a key that Envoy verifies")


def _of_identifiers(certificate: x509.Certificate) -> Iterator[Invalid]:
    own, above = (
        extension(certificate, x509.SubjectKeyIdentifier),
        extension(certificate, x509.AuthorityKeyIdentifier),
    )
    for name, item in (("subject", own), ("authority", above)):
        if item is not None and item.critical:
            yield Invalid(f"{name} key identifier", "critical", "not critical (RFC 5280 §4.2.1)")
    if certificate.issuer != certificate.subject and (above is None or above.value.key_identifier is None):
        yield Invalid("authority key identifier", "nothing", "the issuer's key identifier (RFC 5280 §4.2.1.1)")


def _of_unknown_extensions(certificate: x509.Certificate) -> Iterator[Invalid]:
    for item in certificate.extensions:
        if item.critical and isinstance(item.value, x509.UnrecognizedExtension):
            yield Invalid("extensions", f"critical {item.oid.dotted_string}", "none that peers must refuse (§4.2)")


def _of_an_issuer(certificate: x509.Certificate) -> Iterator[Invalid]:
    basic, usage = extension(certificate, x509.BasicConstraints), extension(certificate, x509.KeyUsage)
    if basic is not None and not basic.critical:
        yield Invalid("basic constraints", "not critical", "critical (RFC 5280 §4.2.1.9)")
    if usage is None or not usage.value.key_cert_sign:
        yield Invalid("key usage", "no keyCertSign", "keyCertSign (RFC 5280 §4.2.1.3)")
    if not list(certificate.subject):
        yield Invalid("subject", "empty", "a name (RFC 5280 §4.1.2.6)")
    if extension(certificate, x509.SubjectKeyIdentifier) is None:
        yield Invalid("subject key identifier", "nothing", "one that leaves can point to (RFC 5280 §4.2.1.2)")
    for uri in uris(certificate):
        if uri.startswith(_SPIFFE) and "/" in uri.removeprefix(_SPIFFE):
            yield Invalid("SPIFFE id", shown(uri), "a trust domain without a path (X509-SVID §3.2)")


def _of_a_leaf(certificate: x509.Certificate) -> Iterator[Invalid]:
    names = extension(certificate, x509.SubjectAlternativeName)
    if names is None or not list(names.value):
        yield Invalid("subject alternative name", "nothing", "the name it proves")
    elif not list(certificate.subject) and not names.critical:
        found = "not critical"
        yield Invalid("subject alternative name", found, "critical, as the subject is empty (RFC 5280 §4.2.1.6)")
    basic = extension(certificate, x509.BasicConstraints)
    if basic is not None and basic.value.path_length is not None:
        yield Invalid("basic constraints", "a path length", "none but with CA:TRUE (RFC 5280 §4.2.1.9)")
    yield from _of_a_leafs_usage(certificate)
    if any(uri.startswith(_SPIFFE) for uri in uris(certificate)):
        yield from _of_an_svid(certificate)


def _of_a_leafs_usage(certificate: x509.Certificate) -> Iterator[Invalid]:
    usage = extension(certificate, x509.KeyUsage)
    if usage is None or not usage.critical:
        yield Invalid("key usage", "not critical" if usage else "nothing", "critical (X509-SVID §4.3)")
    if usage is not None and (usage.value.key_cert_sign or usage.value.crl_sign):
        yield Invalid("key usage", "keyCertSign or cRLSign", "neither, in a leaf (RFC 5280 §4.2.1.9)")
    if usage is not None and not usage.value.digital_signature:
        yield Invalid("key usage", "no digitalSignature", "digitalSignature, by which TLS 1.3 proves the key")


def _of_an_svid(certificate: x509.Certificate) -> Iterator[Invalid]:
    found = uris(certificate)
    if len(found) != 1:
        yield Invalid("SPIFFE id", f"{len(found)} URIs", "one (X509-SVID §2)")
    for uri in found:
        try:
            parsed_identity(uri)
        except Invalid as problem:
            yield problem
    extended = extension(certificate, x509.ExtendedKeyUsage)
    wanted = {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH}
    if extended is not None and not wanted <= set(extended.value):
        yield Invalid("extended key usage", "one of the two", "serverAuth and clientAuth (X509-SVID §4.4)")
