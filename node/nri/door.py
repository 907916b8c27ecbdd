"""Has the container runtime tell of sandboxes by NRI: dials it, again and again, and is registered there. Shell.

While nobody is, the runtime starts pods without asking: `proa-init` holds those, `repair` finds them.
"""

import asyncio
import random
from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog

from kube.backoff import delay
from kube.until import until
from node.metrics import Metrics
from node.nri.answering import Sandboxes
from node.nri.frames import Garbled
from node.nri.registration import Registration
from node.peer import user

_SECONDS_TO_DIAL: Final = 5.0
_LONGEST_PAUSE: Final = 2
"""An attempt of kube.backoff's: one to two seconds."""
_LOG: Final = structlog.get_logger("node")


class NriDoor:
    """At the runtime's socket *path*. *joined* is called each time that sandboxes may have come and gone unseen."""

    def __init__(self, path: Path, sandboxes: Sandboxes, joined: Callable[[], None], metrics: Metrics) -> None:
        self._path, self._sandboxes, self._joined, self._metrics = path, sandboxes, joined, metrics
        self._problem, self._attempt = "the runtime is not asked yet", 0
        metrics.registered(registered=False)

    @property
    def unready(self) -> str:
        return f"not registered at {self._path}: {self._problem}" if self._problem else ""

    async def service(self, stopping: asyncio.Event, chance: Callable[[], float] = random.random) -> None:
        """Be registered until *stopping*."""
        while not stopping.is_set():
            try:
                await self._registered(stopping)
            except* (OSError, Garbled) as errors:
                self._lost("; ".join(str(error) or "too slow" for error in errors.exceptions))
            await until(stopping, asyncio.sleep(delay(self._attempt, chance())))

    async def _registered(self, stopping: asyncio.Event) -> None:
        async with asyncio.timeout(_SECONDS_TO_DIAL):
            reader, writer = await asyncio.open_unix_connection(self._path)
        try:
            if user(writer.get_extra_info("socket")):
                raise PermissionError("who listens is not root")
            await Registration(self._sandboxes, self._ready, writer).held(reader, stopping)
        finally:
            writer.close()

    def _ready(self) -> None:
        self._problem, self._attempt = "", 0
        self._metrics.registered(registered=True)
        self._joined()

    def _lost(self, problem: str) -> None:
        if problem != self._problem:
            _LOG.warning("not registered", path=str(self._path), problem=problem)
        self._problem, self._attempt = problem, min(self._attempt + 1, _LONGEST_PAUSE)
        self._metrics.registered(registered=False)
