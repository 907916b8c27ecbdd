"""Takes connections in at a Unix socket, no more of them at once than there is room for. Shell."""

import asyncio
import os
import socket
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, TypeAlias

import structlog

from kube.until import cancelled

Serves: TypeAlias = Callable[[socket.socket], Coroutine[Any, Any, None]]
"""Closes the connection that it is given, and raises nothing."""
_PAUSE: Final = 0.1
_LOG: Final = structlog.get_logger("node")


def listening(path: Path, backlog: int, mode: int = 0o600) -> socket.socket:
    """At *path*, for root alone. It is put in the place of a former one, which may still be dialled meanwhile."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    with suppress(FileNotFoundError):
        fresh.unlink()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.setblocking(False)  # noqa: FBT003 - its own signature
        listener.bind(str(fresh))
        fresh.chmod(mode)
        listener.listen(backlog)
        fresh.replace(path)
    except BaseException:
        listener.close()
        raise
    return listener


async def accept(listener: socket.socket, serves: Serves, at_once: int, stopping: asyncio.Event) -> None:
    """Until *stopping*; who is served already is waited for."""
    async with asyncio.TaskGroup() as group:
        accepting = group.create_task(_accept(listener, serves, at_once, group))
        await stopping.wait()
        await cancelled(accepting)


async def _accept(listener: socket.socket, serves: Serves, at_once: int, group: asyncio.TaskGroup) -> None:
    loop, room = asyncio.get_running_loop(), asyncio.Semaphore(at_once)
    while True:
        await room.acquire()
        try:
            connection, _ = await loop.sock_accept(listener)
        except OSError as error:
            room.release()
            _LOG.warning("not accepted", error=str(error))
            await asyncio.sleep(_PAUSE)
            continue
        group.create_task(_serve(connection, serves, room))


async def _serve(connection: socket.socket, serves: Serves, room: asyncio.Semaphore) -> None:
    try:
        await serves(connection)
    finally:
        room.release()
