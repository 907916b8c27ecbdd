"""Keeps what the API server holds of one kind at hand: list, watch, and again. Shell; what events mean is `watching`'s.

While the API server is away the last that was known stays. Everything happens in the event loop of the service:
readers and subscribers see each object whole, and wait for nothing.
"""

import asyncio
import random
from collections.abc import Callable, Iterable
from typing import Final, Generic, Never, TypeVar

import structlog

from kube import backoff, calls
from kube.calls import Selection
from kube.client import Client
from kube.failures import ApiRefused, Unreachable
from kube.resources import Key, Object, Resource, key_of
from kube.until import until
from kube.watching import NOWHERE, Change, Failed, Known, Marked, Put, Removed, resumable, step
from proa.errors import ProaError
from proa.json import Json

T = TypeVar("T")

WATCH_SECONDS: Final = 240
"""After which a watch is begun anew, up to half longer: so clients spread over the API servers again."""
_STEADY_SECONDS: Final = 10.0
"""A watch that held so long was no failure. What takes as long without becoming one is: an API server that overload
keeps from answering is not to be asked all the sooner for it."""

_NAMELESS: Final = Key("", "without a name")


class Index(Generic[T]):
    """Objects of *resource* in *selection*, each as *project* makes it of the API server's JSON.

    An object for which *project* raises a ProaError is logged and counts as absent. *chance* answers from [0, 1).
    """

    def __init__(
        self,
        client: Client,
        resource: Resource,
        selection: Selection,
        project: Callable[[Json], T],
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._client, self._resource, self._selection = client, resource, selection
        self._project, self._chance = project, chance
        self._known: Known[T] = Known()
        self._subscribers: list[Callable[[Key, T | None], None]] = []
        self._log = structlog.get_logger("index").bind(kind=resource.kind)
        self.synced = asyncio.Event()
        """Set once everything was listed for the first time."""
        self._held_since: float | None = None
        self._lost_since = 0.0
        self.problem: ProaError | None = None
        """Why it does not follow the API server at the moment."""

    @property
    def behind(self) -> float:
        """Seconds since it lost track of the API server; 0 while it follows."""
        return 0.0 if self.problem is None else asyncio.get_running_loop().time() - self._lost_since

    def get(self, namespace: str | None, name: str) -> T | None:
        return self._known.values.get(Key(namespace or "", name))

    def values(self) -> tuple[T, ...]:
        return tuple(self._known.values.values())

    def items(self) -> tuple[tuple[Key, T], ...]:
        return tuple(self._known.values.items())

    def subscribe(self, callback: Callable[[Key, T | None], None]) -> None:
        """Call back for everything that is known now, and at each change: None is an object that is gone."""
        self._subscribers.append(callback)
        for key, value in self.items():
            callback(key, value)

    async def service(self, stopping: asyncio.Event) -> None:
        """Follow the API server until told to stop. A `proa.running.Service`."""
        await until(stopping, self._follow())

    async def _follow(self) -> Never:
        loop, attempt = asyncio.get_running_loop(), 0
        while True:
            problem, self._held_since = None, None
            try:
                await self._round()
            except (Unreachable, ApiRefused) as error:
                problem = error
                self._failed(error)
            steady = self._held_since is not None and loop.time() - self._held_since > _STEADY_SECONDS
            attempt = 0 if steady else attempt + 1
            await asyncio.sleep(backoff.wait(problem, attempt, self._chance()))

    async def _round(self) -> None:
        """List if what is known cannot be gone on from; then watch until the watch ends."""
        namespace, selectors = self._selection.namespace, self._selection.selectors
        if self._known.version == NOWHERE:
            found, version = await self._client.snapshot(self._resource, namespace, selectors)
            self._tell(self._known.listed(self._projected(found), version))
            self.synced.set()
        seconds = round(WATCH_SECONDS * (1 + self._chance() / 2))
        call = calls.watching(self._client.served(self._resource), namespace, selectors, self._known.version, seconds)
        async with self._client.watch(call) as events:
            self._recovered()
            async for event in events:
                self._take(event)

    def _take(self, event: Json) -> None:
        match step(event):
            case Put(key, item, version):
                put = dict(self._projected([item]))
                changes = self._known.put(key, put[key], version) if put else self._known.removed(key, version)
                self._tell(changes)
            case Removed(key, version):
                self._tell(self._known.removed(key, version))
            case Marked(version):
                self._known.marked(version)
            case Failed(error):
                raise error

    def _projected(self, found: Iterable[Object]) -> Iterable[tuple[Key, T]]:
        for item in found:
            key = _NAMELESS
            try:
                key = key_of(item)
                yield key, self._project(item)
            except ProaError as error:
                self._log.warning("object not usable", object=str(key), error=str(error))

    def _tell(self, changes: tuple[Change[T], ...]) -> None:
        for key, value in changes:
            for callback in tuple(self._subscribers):
                callback(key, value)

    def _failed(self, error: ProaError) -> None:
        if not resumable(error):
            self._known.marked(NOWHERE)
        if self.problem is None:
            self._lost_since = asyncio.get_running_loop().time()
            self._log.warning("not following", error=str(error), code=error.code)
        self.problem = error

    def _recovered(self) -> None:
        self._held_since = asyncio.get_running_loop().time()
        if self.problem is not None:
            self._log.info("following again")
        self.problem = None
