"""What `proa-ca` may do beside the rest while it keeps Secrets for service accounts. Pure."""

from typing import Final

from proa.permissions import Permission

PERMISSIONS: Final = (
    Permission(
        groups=("",),
        resources=("namespaces", "serviceaccounts"),
        verbs=("list", "watch"),
        namespaced=False,
        why="ca/accounts/keeping.py finds the namespaces that asked for Secrets, and their service accounts",
    ),
)
IN_NAMESPACES: Final = (
    Permission(
        groups=("",),
        resources=("secrets",),
        verbs=("list", "create", "patch"),
        namespaced=False,
        why="ca/accounts/keeping.py keeps a Secret for each service account; whoever wants that in a namespace binds "
        "this role there, so that no other namespace's Secrets can be read",
    ),
)
"""Granted nowhere by an installation."""
