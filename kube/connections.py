"""Connections within bounds: so many at a time, a handshake and a first request within seconds. Shell.

Anybody in the cluster may reach our servers, which may hold no more memory than they were given.
"""

import asyncio
import os
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import structlog
from aiohttp import web

from proa.running import Service

CONNECTIONS: Final = 512
"""At a time. An API server holds a few dozen; whoever comes beyond that waits in the kernel's queue."""
HANDSHAKE_SECONDS: Final = 5.0
FIRST_REQUEST_SECONDS: Final = 10.0
IDLE_SECONDS: Final = 120.0
"""Longer than the API server's 90: were it shorter, a review could meet a connection that is being closed."""
WRITE_SECONDS: Final = 10.0
"""For who does not take its answers, so that they fill the buffers: else it would be served for ever."""
_DRAIN_SECONDS: Final = 10.0
_PAUSE_SECONDS: Final = 0.1
_BACKLOG: Final = 1024
_OPTIONS: Final[dict[str, Any]] = {"keepalive_timeout": IDLE_SECONDS, "access_log": None, "auto_decompress": False}


def https_service(
    served: web.Application,
    listening: socket.socket,
    tls: ssl.SSLContext,
    lag: float = 0.0,
    most: int | None = None,
) -> Service:
    """A service that answers on *listening* (bound by the caller, who so knows the port) until it is stopped, *most*
    connections at a time (`CONNECTIONS` unless told).

    It then goes on for *lag* seconds, as whoever is told that it is unready still sends; takes no new connection, and
    gives requests under way ten seconds.
    """

    async def serve(stopping: asyncio.Event) -> None:
        places = asyncio.Semaphore(CONNECTIONS if most is None else most)
        runner = web.AppRunner(served, shutdown_timeout=_DRAIN_SECONDS)
        await runner.setup()
        server = runner.server
        assert server is not None  # noqa: S101 - set up above
        try:
            async with asyncio.TaskGroup() as group:
                accepting = group.create_task(_Door(server, listening, tls, places).accept())
                await stopping.wait()
                await asyncio.sleep(lag)
                accepting.cancel()
        finally:
            listening.close()
            await runner.cleanup()

    return serve


class _Connection(web.RequestHandler):
    """aiohttp's, which also hangs up on who sends no request or takes no answer, and tells when it has ended."""

    __slots__ = ("_ended", "_silence", "_stall")

    def __init__(self, server: web.Server, loop: asyncio.AbstractEventLoop, ended: Callable[[], None]) -> None:
        super().__init__(server, loop=loop, **_OPTIONS)
        self._ended = ended
        self._silence: asyncio.TimerHandle | None = None
        self._stall: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._silence = self._loop.call_later(FIRST_REQUEST_SECONDS, self._hang_up)

    def connection_lost(self, exc: BaseException | None) -> None:
        for timer in (self._silence, self._stall):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)
        self._ended()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stall = self._loop.call_later(WRITE_SECONDS, self._abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None

    def _abort(self) -> None:
        if self.transport is not None:
            self.transport.abort()

    def _hang_up(self) -> None:
        if not self._request_count:
            self.force_close()


@dataclass(frozen=True, slots=True)
class _Door:
    """Lets connections in while there is room; a place is taken before the handshake, which costs most."""

    server: web.Server
    listening: socket.socket
    tls: ssl.SSLContext
    places: asyncio.Semaphore

    async def accept(self) -> None:
        loop = asyncio.get_running_loop()
        self.listening.settimeout(0)
        self.listening.listen(_BACKLOG)
        async with asyncio.TaskGroup() as handshakes:
            while True:
                await self.places.acquire()
                try:
                    connection, _ = await loop.sock_accept(self.listening)
                except OSError as error:
                    # The client went away, or this process has no descriptor left: the next one may do better.
                    structlog.get_logger("connections").warning("connection not accepted", error=str(error))
                    self.places.release()
                    await asyncio.sleep(_PAUSE_SECONDS)
                    continue
                handshakes.create_task(self._connect(loop, connection))

    async def _connect(self, loop: asyncio.AbstractEventLoop, connection: socket.socket) -> None:
        def handler() -> _Connection:
            return _Connection(self.server, loop, self.places.release)

        try:
            await loop.connect_accepted_socket(
                handler, connection, ssl=self.tls, ssl_handshake_timeout=HANDSHAKE_SECONDS
            )
        except OSError as error:
            self.places.release()
            structlog.get_logger("connections").debug("no handshake", error=str(error))


def load(context: ssl.SSLContext, pem: bytes) -> None:
    """Has *context* show the certificate in *pem*. OpenSSL takes a key from a file alone: this one is in memory and
    has no name.
    """
    descriptor = os.memfd_create("proa-serving")
    with os.fdopen(descriptor, "wb") as file:
        file.write(pem)
        file.flush()
        context.load_cert_chain(f"/proc/self/fd/{descriptor}")
