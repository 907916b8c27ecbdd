"""An issuer below a root that is elsewhere: the request that its owner signs, and what comes of the answer. Pure.

Between the two the key waits in a Secret of its own, so that it is never in a file and nobody issues with it.
"""

from collections.abc import Iterable
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from ca.certificates import PrivateKey, issued_by, issuing_certificate, readable_certificates
from ca.material import Issuer, Material
from ca.profile import intermediate_request
from ca.signature import digest
from ca.stored import KEY, authority_secret, secret_values, stored_key, stored_text, written_key
from proa.errors import Invalid
from proa.identity import TrustDomain
from proa.json import Json
from proa.names import AUTHORITY

REQUEST_SECRET: Final = f"{AUTHORITY}-request"
"""The key of an issuer that has no certificate yet, and the request for it."""
REQUEST: Final = "request.pem"


def issuer_request(trust_domain: TrustDomain, key: PrivateKey, serial: int) -> str:
    """PKCS#10 in PEM, for *key* and with what an intermediate of Proa's says of itself: an upstream may copy it."""
    signed = intermediate_request(trust_domain, serial).sign(key, digest(key))
    return signed.public_bytes(Encoding.PEM).decode("ascii")


def request_secret(key: PrivateKey, request: str) -> Json:
    """The Secret `proa-ca-request`. Never log it."""
    return authority_secret(REQUEST_SECRET, {KEY: written_key(key), REQUEST: request})


def requested_key(secret: Json) -> PrivateKey:
    """Raises Invalid, with none of its bytes."""
    return stored_key(secret_values(secret), KEY)


def requested(secret: Json) -> str:
    """The request in PEM. Raises Invalid."""
    return stored_text(secret_values(secret), REQUEST)


def told(texts: Iterable[bytes], field: str) -> tuple[x509.Certificate, ...]:
    """The certificates in *texts*, PEM and the issuer's first, each once: upstreams repeat themselves. Raises Invalid
    about *field*, where they were told."""
    try:
        read = [readable_certificates(each) for each in texts]
    except ValueError as error:
        raise Invalid(field, "what cannot be read", "certificates in PEM") from error
    return tuple(dict.fromkeys(each for certificates in read for each in certificates))


def put_in_force(secret: Json, present: Material) -> bool:
    """Whether the request in *secret* is the one whose answer is *present*. Raises Invalid."""
    return requested_key(secret).public_key() == present.issuer.key.public_key()


def answered(present: Material | None, key: PrivateKey, certificates: tuple[x509.Certificate, ...]) -> Material:
    """What to issue with, *certificates* being the upstream's answer: the issuer first, then those above it. Raises
    ProaError.

    Where there is something to issue with at *present*, pods trust its roots and no other: one that is not among them
    cannot be what the new issuer ends at. Where there is nothing, the answer brings the root along.
    """
    if not certificates:
        raise Invalid("the chain", "no certificate", "the issuer's first, then those above it")
    roots = tuple(each for each in certificates if issued_by(each, each)) if present is None else present.roots
    above = tuple(each for each in certificates[1:] if each not in roots)
    issuer = Issuer(issuing_certificate(certificates[0]), key, above)
    if present is not None and not any(issued_by(issuer.certificates[-1], each) for each in roots):
        found = issuer.certificates[-1].issuer.rfc4514_string()
        raise Invalid("the root above the issuer", found, "one that pods trust: add it to ca.crt of proa-ca before")
    return Material(issuer, roots)
