"""Waits for a socket without a thread: asyncio's own reading drops the files that come beside bytes. Shell."""

import asyncio
import socket


async def readable(place: socket.socket | int) -> None:
    """Until there is something to be read, or the other end is closed; of a process's pidfd, until it has ended."""
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()
    number = place if isinstance(place, int) else place.fileno()
    loop.add_reader(number, _tell, ready)
    try:
        await ready
    finally:
        loop.remove_reader(number)


def _tell(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)
