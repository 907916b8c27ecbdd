"""What `proa-ca` may do beside the rest while cert-manager signs its issuers. Pure."""

from typing import Final

from ca.permissions import WAITING
from proa.permissions import Permission

PERMISSIONS: Final = (
    Permission(
        groups=("cert-manager.io",),
        resources=("certificaterequests",),
        verbs=("get", "create"),
        namespaced=True,
        why="ca/certmanager/asking.py asks for the next issuer; they are named after what they ask for, which RBAC "
        "cannot know",
    ),
    WAITING,
)
