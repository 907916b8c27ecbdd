"""The socket of the Workload API: asks the kernel who dialled, and carries bytes between them and the server. Shell.

grpcio does not tell which process a caller is. So connections are taken in here, each goes on to the server by a
connection that bears a name, and by that name the server learns whose it is. The server's own socket is root's.
"""

import asyncio
import resource
import shutil
import socket
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, Final, TypeAlias
from urllib.parse import unquote

import structlog

from ca.istio.limits import Limits, Rate
from kube.until import cancelled
from node.accepting import accept, listening
from node.cgroups import pod_uid
from node.workload.calling import Caller
from node.workload.metrics import Metrics
from node.workload.shares import BOUNDS, Admit, Reason, TurnAway, admission

AT_ONCE: Final = BOUNDS.node + BOUNDS.turned + 8
"""With some that are refused without a word: who is one too many holds nobody up."""
FILES: Final = 4
"""That are open for each: it, its process, and both ends of the way to the server."""
_TURNING: Final = 1.0
"""Seconds for which one that is turned away is heard and told so."""
_A_LINE: Final = Rate(1, 60.0)
"""Of the log for each pod, however often it is turned away."""
_CHUNK: Final = 65_536
_LOG: Final = structlog.get_logger("node")
_End: TypeAlias = Callable[[], Coroutine[Any, Any, Any]]


@dataclass(frozen=True, slots=True)
class _Guest:
    """A connection of *pod*; it ends when it is told to *leave*."""

    pod: str
    leave: asyncio.Event


class Relay:
    """From *path*, where everybody may dial, to a server in *directory*, which is made anew and is root's alone."""

    def __init__(self, path: Path, directory: Path, metrics: Metrics) -> None:
        self._path, self._directory, self._metrics = path, directory, metrics
        self._numbers, self._callers = count(), dict[str, Caller | TurnAway]()
        self._guests, self._turned = dict[str, _Guest](), 0
        self._lines = Limits(_A_LINE)
        with suppress(FileNotFoundError):
            shutil.rmtree(directory)
        directory.mkdir(mode=0o700, parents=True)

    @property
    def server(self) -> str:
        """Where the server has to listen."""
        return str(self._directory / "server")

    def caller(self, peer: str) -> Caller | TurnAway | None:
        """Whose connection the server knows by the name *peer*, which is `unix:` and a path; None if it is gone."""
        return self._callers.get(unquote(peer).removeprefix("unix:"))

    async def service(self, stopping: asyncio.Event) -> None:
        """Until *stopping*, and until those who are connected are gone."""
        with listening(self._path, AT_ONCE, mode=0o666) as listener:
            await accept(listener, self._serve, AT_ONCE, stopping)

    async def _serve(self, connection: socket.socket) -> None:
        # Either end may be gone at any time.
        with suppress(OSError), connection, Caller(connection) as caller:
            pod, name = pod_uid(caller.groups() or ""), self._directory / f"caller-{next(self._numbers)}"
            match admission({each: guest.pod for each, guest in self._guests.items()}, pod, BOUNDS):
                case Admit(instead):
                    await self._admitted(connection, name, caller, self._seated(name, pod, instead))
                case TurnAway() as answer:
                    await self._turn_away(connection, name, pod, answer)

    def _seated(self, name: Path, pod: str, instead: str | None) -> asyncio.Event:
        """Set when it has to leave."""
        if instead is not None:
            former = self._guests.pop(instead)
            former.leave.set()
            self._say(former.pod, "NodeConnections")
        self._guests[str(name)] = _Guest(pod, asyncio.Event())
        return self._guests[str(name)].leave

    async def _admitted(self, connection: socket.socket, name: Path, caller: Caller, leave: asyncio.Event) -> None:
        self._metrics.connected(len(self._guests))
        try:
            await self._relayed(connection, name, caller, caller.ended, leave.wait)
        finally:
            self._guests.pop(str(name), None)
            self._metrics.connected(len(self._guests))

    async def _turn_away(self, connection: socket.socket, name: Path, pod: str, answer: TurnAway) -> None:
        """Its calls are refused for a moment, so that it learns why; where there are many of those, without a word."""
        self._say(pod, answer.reason)
        if self._turned >= BOUNDS.turned:
            return
        self._turned += 1
        try:
            await self._relayed(connection, name, answer, lambda: asyncio.sleep(_TURNING))
        finally:
            self._turned -= 1

    def _say(self, pod: str, reason: Reason) -> None:
        self._metrics.turned_away(reason)
        if not self._lines.wait(pod, asyncio.get_running_loop().time()):
            _LOG.warning("connections to the Workload API turned away", pod_uid=pod, reason=reason)

    async def _relayed(self, connection: socket.socket, name: Path, whose: Caller | TurnAway, *ends: _End) -> None:
        """Until one of *ends* is done."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as inner, self._named(inner, name, whose):
            await asyncio.get_running_loop().sock_connect(inner, self.server)
            await _first(_pumped(connection, inner), _pumped(inner, connection), *(end() for end in ends))

    @contextmanager
    def _named(self, inner: socket.socket, name: Path, whose: Caller | TurnAway) -> Generator[None]:
        """So that the server knows it."""
        inner.setblocking(False)  # noqa: FBT003 - its own signature
        inner.bind(str(name))
        self._callers[str(name)] = whose
        try:
            yield
        finally:
            del self._callers[str(name)]
            name.unlink()


def make_room() -> None:
    """Let this process open what `AT_ONCE` connections take beside the rest: a service of systemd has 1024 files, and
    without one the agent's other door takes no pod in."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = hard if soft == resource.RLIM_INFINITY else soft + FILES * AT_ONCE
    wanted = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


async def _pumped(source: socket.socket, sink: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    while chunk := await loop.sock_recv(source, _CHUNK):
        await loop.sock_sendall(sink, chunk)


async def _first(*works: Coroutine[Any, Any, Any]) -> None:
    """Until one of them is done, which ends the others."""
    tasks = [asyncio.ensure_future(each) for each in works]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await cancelled(*tasks)
