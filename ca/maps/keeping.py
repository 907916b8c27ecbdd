"""Keeps the roots' ConfigMap in each namespace that opted in. Shell; which are due, is `plan`'s. The leader's."""

import asyncio
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, assert_never

from ca.certificates import pem
from ca.maps.metrics import Metrics
from ca.maps.plan import Kept, Publish, Refuse, Remove, Step, asks, by_namespace, config_map, kept, maps_due
from ca.surroundings import Surroundings
from ca.svid_bundle import trust_bundles
from kube.calls import Selection, Selectors
from kube.failures import Conflict, NotFound
from kube.index import Index
from kube.resources import CONFIG_MAPS, NAMESPACES
from kube.until import until
from kube.waiting import waited
from proa.errors import ProaError
from proa.json import Json
from proa.mesh import MeshConfiguration
from proa.names import AUTHORITY
from proa.rootsmap import BUNDLES_KEY, CRL_KEY, ROOTS_KEY, federates, map_name, revokes

MANAGER: Final = f"{AUTHORITY}-roots"
"""Of the fields that are applied."""
_AGAIN: Final = 15.0
"""Seconds after a failure, and twice that at most."""
_AT_ONCE: Final = 8


@dataclass(frozen=True, slots=True)
class Joined:
    """What the other duties have to do with it: *propagated* is called when all that was due is done; *crls* answers
    the CRLs as PEM, empty while there are none."""

    propagated: Callable[[], None]
    crls: Callable[[], str]


class Keeping:
    """One time of being open, with one configuration."""

    def __init__(self, around: Surroundings[Metrics], joined: Joined, mesh: MeshConfiguration) -> None:
        self._around, self._joined = around, joined
        self._mesh, self._name = mesh, map_name(mesh)
        self._news, self._room = asyncio.Event(), asyncio.Semaphore(_AT_ONCE)
        named = Selection(None, Selectors(field=f"metadata.name={self._name}"))
        self._maps = Index[Kept](around.client, CONFIG_MAPS, named, kept)
        self._namespaces = Index[bool](around.client, NAMESPACES, Selection(), self._asks)
        self._maps.subscribe(lambda _key, _kept: self._news.set())
        self._namespaces.subscribe(lambda _key, _asks: self._news.set())

    def hasten(self) -> None:
        """Look again: the roots are others."""
        self._news.set()

    async def service(self, closing: asyncio.Event) -> None:
        async with asyncio.TaskGroup() as group:
            for index in (self._maps, self._namespaces):
                group.create_task(index.service(closing))
            group.create_task(self._work(closing))

    async def _work(self, closing: asyncio.Event) -> None:
        # A map that is not known yet is none that lacks.
        for index in (self._maps, self._namespaces):
            await until(closing, index.synced.wait())
        while not closing.is_set():
            failing = await self._look()
            self._around.metrics.failing(failing)
            again = _AGAIN * (1 + random.random())  # noqa: S311 - spreads replicas
            await waited(closing, self._news, again if failing else None)

    async def _look(self) -> int:
        """Do what is due; in how many namespaces it could not be done."""
        data = self._data()
        if not data:
            return 0
        wanted = (key.name for key, asked in self._namespaces.items() if asked)
        steps = maps_due(wanted, by_namespace(self._maps.items()), data)
        done = await asyncio.gather(*(self._done(step, data) for step in steps))
        if steps and all(done):
            self._joined.propagated()
        return done.count(False)

    def _data(self) -> Mapping[str, str]:
        """Nothing while something of it lacks: a sidecar without the CRL that it wants lets nobody in."""
        material, crls = self._around.material.current, self._joined.crls()
        if material is None or (revokes(self._mesh) and not crls):
            return {}
        data = {ROOTS_KEY: pem(*material.roots)}
        if revokes(self._mesh):
            data[CRL_KEY] = crls
        if federates(self._mesh):
            data[BUNDLES_KEY] = trust_bundles(self._mesh, material.roots)
        return data

    async def _done(self, step: Step, data: Mapping[str, str]) -> bool:
        async with self._room:
            try:
                await self._do(step, data)
            except ProaError as error:
                self._around.reports.warn("RootsNotTold", f"ConfigMap {step.namespace}/{self._name}: {error}")
                return False
        return not isinstance(step, Refuse)

    async def _do(self, step: Step, data: Mapping[str, str]) -> None:
        match step:
            case Publish(namespace, ours):
                wanted = config_map(namespace, self._name, data)
                try:
                    await self._around.client.apply(wanted, MANAGER, force=ours)
                except Conflict:
                    # Somebody made one a moment ago, which the next look finds.
                    return
            case Remove(namespace):
                try:
                    await self._around.client.delete(CONFIG_MAPS, self._name, namespace)
                except NotFound:
                    return
            case Refuse(namespace):
                self._around.reports.warn("RootsNotTold", _elsewhere(namespace, self._name))
                return
            case _:
                assert_never(step)
        self._around.metrics.done(type(step).__name__)

    def _asks(self, namespace: Json) -> bool:
        return asks(namespace, self._mesh)


def _elsewhere(namespace: str, name: str) -> str:
    return f"the ConfigMap {namespace}/{name} is somebody else's: delete it, or have none by a label on the namespace"
