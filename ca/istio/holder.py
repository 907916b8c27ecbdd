"""Whom a client's certificate proves, once TLS has verified it up to our roots. Pure."""

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from ca.certificates import extension, validity
from ca.istio.asked import Address, Certificate
from ca.istio.verdict import Code, Refuse
from proa.errors import Invalid
from proa.identity import parsed_identity


def holder(certificate: bytes, address: Address | None) -> Certificate | Refuse:
    """The caller whose *certificate* (PEM) TLS has taken, asking from *address*."""
    try:
        leaf = x509.load_pem_x509_certificate(certificate)
        usage, names = extension(leaf, x509.ExtendedKeyUsage), extension(leaf, x509.SubjectAlternativeName)
        basic = extension(leaf, x509.BasicConstraints)
    except (ValueError, x509.DuplicateExtension):
        return _refused("CertificateUnreadable")
    if basic is None or basic.value.ca:
        return _refused("NotALeaf")
    if usage is None or ExtendedKeyUsageOID.CLIENT_AUTH not in usage.value:
        return _refused("NotAClientsCertificate")
    # X509-SVID §2: one URI. A server's certificate of ours has none.
    uris = names.value.get_values_for_type(x509.UniformResourceIdentifier) if names else []
    if len(uris) != 1:
        return _refused("NotAnIdentity")
    try:
        identity = parsed_identity(uris[0])
    except Invalid:
        return _refused("NotAnIdentity")
    return Certificate(identity, leaf.serial_number, validity(leaf).not_after, address)


def _refused(reason: str) -> Refuse:
    return Refuse(Code.UNAUTHENTICATED, reason)
