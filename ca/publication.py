"""Publishes the roots as a ClusterTrustBundle, and puts them back when somebody changes it. Shell."""

import asyncio
import random
from collections.abc import Callable
from typing import Final

from ca.reports import Reports
from ca.storage import LiveMaterial
from ca.trust import TRUST_BUNDLE_NAME, published_roots, trust_bundle
from kube.calls import Selection, Selectors
from kube.client import Client
from kube.index import Index
from kube.resources import CLUSTER_TRUST_BUNDLES, Key
from kube.until import until
from kube.waiting import waited
from proa.errors import ProaError
from proa.json import Json
from proa.names import AUTHORITY

_NAMED: Final = Selection(None, Selectors(field=f"metadata.name={TRUST_BUNDLE_NAME}"))
_AGAIN: Final = 5.0
"""Seconds after a failure, and twice that at most."""


class Publication:
    """One object, watched by all and written by one."""

    def __init__(self, client: Client, material: LiveMaterial, reports: Reports) -> None:
        self._client, self._material, self._reports = client, material, reports
        self._index = Index[str](client, CLUSTER_TRUST_BUNDLES, _NAMED, published_roots)
        self._news = asyncio.Event()
        self._index.subscribe(self._changed)
        material.subscribe(self._news.set)

    def subscribe(self, changed: Callable[[], None]) -> None:
        """Call *changed* each time something else is published."""
        self._index.subscribe(lambda _key, _roots: changed())

    def _changed(self, _: Key, __: str | None) -> None:
        self._news.set()

    async def watch(self, stopping: asyncio.Event) -> None:
        """See what is published; every replica's, so that a new leader knows at once."""
        await self._index.service(stopping)

    async def publish(self, stopping: asyncio.Event) -> None:
        """Keep it as it should be; the leader's."""
        # An index that finds nothing tells nobody of it, and there would be no news to wait for.
        await until(stopping, self._index.synced.wait())
        while not stopping.is_set():
            wanted = self._wanted()
            done = wanted is None or await self._apply(wanted)
            await waited(stopping, self._news, None if done else _AGAIN * (1 + random.random()))  # noqa: S311

    def _wanted(self) -> Json:
        """None while there is nothing to publish, or it stands there already."""
        material = self._material.current
        if material is None:
            return None
        wanted = trust_bundle(material)
        return None if self._index.get("", TRUST_BUNDLE_NAME) == published_roots(wanted) else wanted

    async def _apply(self, wanted: Json) -> bool:
        """With force: who else writes our roots is wrong."""
        try:
            await self._client.apply(wanted, AUTHORITY, force=True)
        except ProaError as error:
            self._reports.warn("PublicationFailed", f"the ClusterTrustBundle {TRUST_BUNDLE_NAME}: {error}")
            return False
        return True
