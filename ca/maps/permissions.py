"""What `proa-ca` may do beside the rest while it keeps ConfigMaps with the roots. Pure."""

from typing import Final

from ca.revocation.register import REVOCATION_SECRET
from proa.permissions import Permission
from proa.rootsmap import MAP_NAMES

PERMISSIONS: Final = (
    Permission(
        groups=("",),
        resources=("namespaces",),
        verbs=("list", "watch"),
        namespaced=False,
        why="ca/maps/keeping.py finds who opted in; ca/standing.py sees whether all of them know a root",
    ),
    Permission(
        groups=("",),
        resources=("configmaps",),
        verbs=("list", "watch", "patch", "delete"),
        names=MAP_NAMES,
        namespaced=False,
        why="ca/maps/keeping.py keeps the roots in them, and removes them where a namespace opted out",
    ),
    Permission(
        groups=("",),
        resources=("configmaps",),
        verbs=("create",),
        namespaced=False,
        why="ca/maps/keeping.py: server-side apply of one that is not there needs create; RBAC knows no name for it",
    ),
    Permission(
        groups=("",),
        resources=("secrets",),
        verbs=("get", "list", "watch", "update"),
        names=(REVOCATION_SECRET,),
        namespaced=True,
        why="ca/revocation/keeping.py keeps who is revoked and the issuers whose CRLs say so, where the configuration "
        "wants CRLs in those ConfigMaps",
    ),
)
