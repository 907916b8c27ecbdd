"""What `proa-ca` may do beside the rest while it signs CertificateSigningRequests. Pure."""

from typing import Final

from proa.permissions import Permission

_CERTIFICATES: Final = ("certificates.k8s.io",)

PERMISSIONS: Final = (
    Permission(
        groups=_CERTIFICATES,
        resources=("certificatesigningrequests",),
        verbs=("list", "watch"),
        namespaced=False,
        why="ca/csrs/keeping.py watches the requests of the signer proa.dev/workload; RBAC knows no signer here",
    ),
    Permission(
        groups=_CERTIFICATES,
        resources=("certificatesigningrequests/status",),
        verbs=("patch",),
        namespaced=False,
        why="ca/csrs/keeping.py writes the certificate, or why there is none; the API server lets it do so for the "
        "signers alone for which ca/permissions.py has `sign`",
    ),
)
