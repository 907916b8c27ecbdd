"""One connection to the runtime, for as long as it holds. Shell: `session` reads and writes what goes over it."""

import asyncio
from asyncio import StreamReader, StreamWriter
from collections.abc import Callable
from typing import Final

import structlog

from kube.until import until
from node.nri.answering import Sandboxes
from node.nri.session import OPENING, Answer, Event, Joined, Session, Started, Stopped, refused

_SECONDS_TO_JOIN: Final = 30.0
"""For the runtime to take us: it takes one plugin after the other."""
_AT_ONCE: Final = 64
"""Sandboxes that are answered. The runtimes there are tell of one after the other."""
_CHUNK: Final = 65_536
_LOG: Final = structlog.get_logger("node")


class Registration:
    """*joined* is called each time that sandboxes may have come and gone unseen."""

    def __init__(self, sandboxes: Sandboxes, joined: Callable[[], None], writer: StreamWriter) -> None:
        self._sandboxes, self._joined, self._writer = sandboxes, joined, writer
        self._session, self._open = Session(), 0

    async def held(self, reader: StreamReader, stopping: asyncio.Event) -> None:
        """Until *stopping*, when what is asked already is answered. Raises ExceptionGroup of OSError and Garbled."""
        async with asyncio.TaskGroup() as group:
            await until(stopping, self._heard(reader, group))

    async def _heard(self, reader: StreamReader, group: asyncio.TaskGroup) -> None:
        async with asyncio.timeout(_SECONDS_TO_JOIN) as limit:
            await self._send(OPENING)
            while received := await reader.read(_CHUNK):
                for event in self._session.events(received):
                    await self._met(event, group)
                    if isinstance(event, Joined):
                        limit.reschedule(None)
        raise ConnectionResetError("the runtime has closed the connection")

    async def _met(self, event: Event, group: asyncio.TaskGroup) -> None:
        match event:
            case Answer(reply):
                await self._send(reply)
            case Joined(runtime, reply):
                await self._send(reply)
                self._joined()
                _LOG.info("registered", runtime=runtime)
            case Stopped(owner, reply):
                self._sandboxes.stopped(owner)
                await self._send(reply)
            case Started(stream) if self._open == _AT_ONCE:
                # Who is hung up on would start them all.
                await self._send(refused(stream, f"proa: the node agent has {_AT_ONCE} sandboxes in hand already"))
            case Started():
                self._open += 1
                group.create_task(self._answer(event))

    async def _answer(self, sandbox: Started) -> None:
        try:
            await self._send(await self._sandboxes.started(sandbox))
        finally:
            self._open -= 1

    async def _send(self, reply: bytes) -> None:
        self._writer.write(reply)
        await self._writer.drain()
