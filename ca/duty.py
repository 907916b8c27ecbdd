"""A duty of the leader that the configuration may want or not: done while it does, anew when it changes. Shell."""

import asyncio
import random
from collections.abc import Callable, Coroutine
from typing import Any, Protocol, TypeAlias

from ca.storage import LiveMaterial
from kube.configuration import LiveConfiguration
from kube.index import Index
from kube.until import until
from kube.waiting import waited
from proa.mesh import MeshConfiguration


class Work(Protocol):
    """One time of doing it, with one configuration."""

    def hasten(self) -> None:
        """The issuer or the roots are others."""
        ...

    async def service(self, closing: asyncio.Event) -> None: ...


Begin: TypeAlias = Callable[[MeshConfiguration], Work | None]
"""None where the configuration does not want it."""


class Looking:
    """Work that is looked for whenever what *index* follows is another one, and by the time. *look* does what is due,
    and answers the seconds until something may be, of which *least* pass in any case; it is cut short at the end."""

    def __init__(self, index: Index[Any], look: Callable[[], Coroutine[Any, Any, float]], least: float = 0.0) -> None:
        self._index, self._look, self._least, self._news = index, look, least, asyncio.Event()
        index.subscribe(lambda _key, _found: self._news.set())

    def hasten(self) -> None:
        self._news.set()

    async def service(self, closing: asyncio.Event) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._index.service(closing))
            while not closing.is_set():
                seconds = await until(closing, self._look())
                if seconds is not None:
                    spread = 0.9 + 0.1 * random.random()  # noqa: S311 - spreads looks
                    await waited(closing, self._news, max(seconds * spread, self._least))


class ConfiguredDuty:
    """It may be done again and again: whoever leads does it. *ended* is called after each time."""

    def __init__(
        self, configuration: LiveConfiguration, material: LiveMaterial, begin: Begin, ended: Callable[[], None]
    ) -> None:
        self._configuration, self._begin, self._ended = configuration, begin, ended
        self._news = asyncio.Event()
        self._work: Work | None = None
        material.subscribe(self._changed)
        configuration.subscribe(lambda _: self._changed())

    def hasten(self) -> None:
        """What it rests on is another one."""
        if self._work is not None:
            self._work.hasten()

    async def keep(self, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            mesh = self._configuration.current
            work = None if mesh is None else self._begin(mesh)
            if mesh is None or work is None:
                await waited(stopping, self._news)
            else:
                await self._done(stopping, mesh, work)

    async def _done(self, stopping: asyncio.Event, mesh: MeshConfiguration, work: Work) -> None:
        """Until the configuration is another one."""
        closing, self._work = asyncio.Event(), work
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(work.service(closing))
                while self._configuration.current == mesh and not stopping.is_set():
                    await waited(stopping, self._news)
                closing.set()
        finally:
            self._work = None
            self._ended()

    def _changed(self) -> None:
        self._news.set()
        self.hasten()
