"""Whom to believe, told beside Istio's protocol while its door is open and nodes answer the Workload API. Shell."""

import asyncio

from ca.istio.issuance import Issuance
from ca.revocation.keeping import NAMED
from ca.revocation.register import REVOCATION_SECRET
from ca.revocation.storage import stored
from ca.trusted.telling import Telling
from kube.client import Client
from kube.index import Index
from kube.resources import SECRETS
from proa.json import Json
from proa.mesh import MeshConfiguration
from proa.names import SYSTEM_NAMESPACE
from proa.rootsmap import revokes


class TrustOpening:
    """Where *mesh* wants CRLs they are told, too: by every replica, so each follows what the leader signed."""

    def __init__(self, client: Client, callers: Issuance, mesh: MeshConfiguration) -> None:
        self._index = Index[str](client, SECRETS, NAMED, _crls) if revokes(mesh) else None
        self.telling = Telling(callers, self._now)

    async def follow(self, closing: asyncio.Event) -> None:
        if self._index is not None:
            await self._index.service(closing)

    def _now(self) -> str:
        return (self._index and self._index.get(SYSTEM_NAMESPACE, REVOCATION_SECRET)) or ""


def _crls(secret: Json) -> str:
    """Those alone: the keys in it are the leader's. Raises Invalid."""
    return stored(secret).register.pem
