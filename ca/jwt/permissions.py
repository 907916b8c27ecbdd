"""What `proa-ca` may do beside the rest while it signs JWT-SVIDs. Pure."""

from typing import Final

from ca.jwt.stored import JWT_SECRET
from proa.permissions import Permission

PERMISSIONS: Final = (
    Permission(
        groups=("",),
        resources=("secrets",),
        verbs=("get", "list", "watch", "update"),
        names=(JWT_SECRET,),
        namespaced=True,
        why="ca/jwt/keeping.py keeps the keys that sign; ca/jwt/opening.py follows them",
    ),
)
