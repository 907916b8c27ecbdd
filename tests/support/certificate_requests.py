"""cert-manager's answers to a CertificateRequest, as an issuer of its own whose key is in a Secret gives them."""

from base64 import b64decode, b64encode
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from ca.certificates import pem
from ca.material import Issuer
from ca.profile import INTERMEDIATE_LIFETIME, Terms, authority_validity, intermediate_builder
from ca.randomness import new_serial
from proa.identity import TrustDomain


def signed(request: Any, root: Issuer) -> Any:
    """The status of *request* once *root* has signed it."""
    asked = x509.load_pem_x509_csr(b64decode(request["spec"]["request"]))
    key: Any = asked.public_key()
    validity = authority_validity(root.issuing.validity.not_before, INTERMEDIATE_LIFETIME)
    builder = intermediate_builder(TrustDomain("cluster.local"), Terms(key, validity, new_serial()), root.issuing)
    certificate = builder.sign(root.key, SHA256())  # type: ignore[arg-type]
    told = {"certificate": encoded(pem(certificate)), "ca": encoded(pem(root.issuing.certificate))}
    return {"conditions": [condition("Approved"), condition("Ready", reason="Issued")], **told}


def condition(kind: str, status: str = "True", reason: str = "", message: str = "") -> Any:
    return {"type": kind, "status": status, "reason": reason, "message": message}


def encoded(text: str) -> str:
    return b64encode(text.encode()).decode()
