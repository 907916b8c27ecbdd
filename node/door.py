"""The Unix socket at which plugins ask. Shell: bytes in, bytes out; `answering` has the answers.

Bounded: connections, the bytes of a question, the time it may take to come, the time for its answer.
"""

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final, TypeAlias

import structlog

from node.accepting import accept, listening
from node.peer import user
from node.readable import readable
from node.wire import LONGEST

Answers: TypeAlias = Callable[[bytes, int | None], Awaitable[bytes]]

AT_ONCE: Final = 256
SECONDS_TO_ASK: Final = 5.0
_SECONDS: Final = 28.0
"""For all of it: less than the plugin waits (cni/proa-cni.c)."""
_CHUNK: Final = 65_536
_LOG: Final = structlog.get_logger("node")


class Door:
    """Listens at *path* while its service runs."""

    def __init__(
        self, path: Path, answers: Answers, at_once: int = AT_ONCE, seconds_to_ask: float = SECONDS_TO_ASK
    ) -> None:
        self._path, self._answers = path, answers
        self._at_once, self._seconds_to_ask = at_once, seconds_to_ask
        self._open = False

    @property
    def unready(self) -> str:
        return "" if self._open else f"nobody listens at {self._path} yet"

    async def service(self, stopping: asyncio.Event) -> None:
        """Until *stopping*; who asks already is answered. The file stays: what dials it then is refused at once."""
        with listening(self._path, AT_ONCE) as listener:
            self._open = True
            async with asyncio.TaskGroup() as group:
                group.create_task(accept(listener, self._serve, self._at_once, stopping))
                await stopping.wait()
                self._open = False

    async def _serve(self, connection: socket.socket) -> None:
        places: list[int] = []
        try:
            with connection:
                async with asyncio.timeout(_SECONDS):
                    await self._answered(connection, places)
        except (OSError, TimeoutError) as error:
            _LOG.warning("not answered", error=str(error) or "too slow")
        except Exception:  # noqa: BLE001 - a question that no code foresaw must not keep the others from their answers
            _LOG.exception("not answered")
        finally:
            for place in places:
                os.close(place)

    async def _answered(self, connection: socket.socket, places: list[int]) -> None:
        if user(connection):
            raise PermissionError("who asks is not root")
        async with asyncio.timeout(self._seconds_to_ask):
            received = await _received(connection, places)
        reply = await self._answers(received, places[0] if len(places) == 1 else None)
        await asyncio.get_running_loop().sock_sendall(connection, reply)


async def _received(connection: socket.socket, places: list[int]) -> bytes:
    """All that is sent until the other end is done; what it opened is added to *places*. Raises OSError."""
    connection.setblocking(False)  # noqa: FBT003 - its own signature
    received = bytearray()
    while True:
        await readable(connection)
        chunk, opened, _, _ = socket.recv_fds(connection, _CHUNK, 1)
        places.extend(opened)
        if not chunk:
            return bytes(received)
        received += chunk
        if len(received) > LONGEST or len(places) > 1:
            raise OSError("a question is too long, or came with more than one file")
