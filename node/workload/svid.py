"""An X.509-SVID as the authority answered it, looked at before a pod gets it. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from ca.certificates import Validity, der, encoded_key, extension, issued_by, validity
from ca.renewal import leaf_due
from proa.errors import Invalid, shown
from proa.identity import WorkloadIdentity


@dataclass(frozen=True, slots=True)
class Svid:
    """DER: *chain* is the leaf and its intermediates one after the other, *key* PKCS #8 (Workload API §5.1)."""

    identity: WorkloadIdentity
    chain: bytes
    key: bytes = field(repr=False)
    serial: int
    validity: Validity
    top: x509.Certificate
    """The last of the chain."""

    @property
    def due(self) -> datetime:
        """When the next one is asked for."""
        return leaf_due(self.serial, self.validity)

    def ends_at(self, roots: Iterable[x509.Certificate]) -> bool:
        """Whether one of *roots* vouches for it."""
        return any(issued_by(self.top, each) for each in roots)


def svid(texts: tuple[str, ...], key: ec.EllipticCurvePrivateKey, identity: WorkloadIdentity) -> Svid:
    """Of the authority's answer (PEM), the last of whose *texts* are the roots. Raises Invalid if it is not of
    *identity* and *key*: a pod must never be given another one's."""
    try:
        chain = [each for text in texts[:-1] for each in x509.load_pem_x509_certificates(text.encode())]
    except ValueError as error:
        raise Invalid("answer", "what cannot be read", "certificates in PEM") from error
    if not chain:
        raise Invalid("answer", f"{len(texts)} certificates", "a leaf, and roots")
    leaf = chain[0]
    public = leaf.public_key()
    if not isinstance(public, ec.EllipticCurvePublicKey) or encoded_key(public) != encoded_key(key.public_key()):
        raise Invalid("answer", "a certificate of another key", "one of the key in the request")
    names = extension(leaf, x509.SubjectAlternativeName)
    uris = names.value.get_values_for_type(x509.UniformResourceIdentifier) if names else []
    if uris != [identity.uri]:
        raise Invalid("answer", shown(uris), identity.uri)
    secret = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return Svid(identity, der(chain), secret, leaf.serial_number, validity(leaf), chain[-1])


def bundle(roots: bytes) -> tuple[x509.Certificate, ...]:
    """*roots* (PEM) in one order whatever theirs was. Raises Invalid."""
    try:
        found = x509.load_pem_x509_certificates(roots)
    except ValueError as error:
        raise Invalid("roots", f"{len(roots)} bytes that are none", "certificates in PEM") from error
    return tuple(sorted(found, key=lambda each: each.public_bytes(Encoding.DER)))
