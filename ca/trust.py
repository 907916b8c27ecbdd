"""The roots as every pod gets them: a ClusterTrustBundle, which the kubelet mounts and keeps current. Pure."""

from typing import Final

from cryptography import x509

from ca.certificates import pem
from ca.material import Material
from proa.json import Json
from proa.names import AUTHORITY, SIGNER

TRUST_BUNDLE_NAME: Final = f"{SIGNER.replace('/', ':')}:v1"
"""The API server wants the signer's name in front (Kubernetes 1.37, certificates validation)."""


def trust_bundle(material: Material) -> Json:
    labels: Json = {"app.kubernetes.io/part-of": "proa", "app.kubernetes.io/managed-by": AUTHORITY}
    return {
        "apiVersion": "certificates.k8s.io/v1",
        "kind": "ClusterTrustBundle",
        "metadata": {"name": TRUST_BUNDLE_NAME, "labels": labels},
        "spec": {"signerName": SIGNER, "trustBundle": pem(*material.roots)},
    }


def published_roots(bundle: Json) -> str:
    """The PEM of a ClusterTrustBundle as the API server shows it; empty where there is none."""
    spec = bundle.get("spec") if isinstance(bundle, dict) else None
    content = spec.get("trustBundle") if isinstance(spec, dict) else None
    return content if isinstance(content, str) else ""


def trusted_roots(bundle: Json) -> tuple[x509.Certificate, ...]:
    """As `published_roots`, read; none where somebody has put there what cannot be."""
    try:
        return tuple(x509.load_pem_x509_certificates(published_roots(bundle).encode()))
    except ValueError:
        return ()
