"""JWT-SVIDs beside the door of Istio's protocol, while it is open and the configuration wants them. Shell."""

import asyncio
from collections.abc import Callable

from ca.istio.issuance import Issuance
from ca.istio.serving import Credential
from ca.jwt.discovery import Discovery
from ca.jwt.documents import Documents, documents
from ca.jwt.issuance import JwtIssuance
from ca.jwt.keeping import NAMED
from ca.jwt.keys import Keys
from ca.jwt.stored import JWT_SECRET, stored_keys
from kube.client import Client
from kube.index import Index
from kube.resources import SECRETS
from proa.clock import Clock
from proa.doors import issuer
from proa.names import SYSTEM_NAMESPACE


class JwtOpening:
    """Callers are known by *callers*; verifiers are answered at *port* with *credential*."""

    def __init__(
        self, client: Client, clock: Clock, callers: Issuance, credential: Callable[[], Credential], port: int
    ) -> None:
        self._callers, self._index = callers, Index[Keys](client, SECRETS, NAMED, stored_keys)
        self.issuance = JwtIssuance(callers, self._keys, clock)
        self.discovery = Discovery(self._documents, credential, port)

    @property
    def unready(self) -> str:
        because = f": {self._index.problem}" if self._index.problem else ""
        return "" if self._index.synced.is_set() else f"the keys of JWT-SVIDs are not read yet{because}"

    @property
    def behind(self) -> float:
        """Seconds for which other keys may have been there already (`Index.behind`)."""
        return self._index.behind

    async def follow(self, closing: asyncio.Event) -> None:
        """The keys that sign."""
        await self._index.service(closing)

    def _keys(self) -> Keys:
        return self._index.get(SYSTEM_NAMESPACE, JWT_SECRET) or ()

    def _documents(self) -> Documents:
        mesh, material, keys = self._callers.configuration.current, self._callers.material.current, self._keys()
        if mesh is None or material is None or not keys:
            return {}
        return documents(keys, material.roots, issuer(mesh.authority))
