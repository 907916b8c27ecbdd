"""The socket: who may ask, how much, how long; and that nothing is left of those who asked."""

import asyncio
import socket
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from node.door import Door
from node.wire import LONGEST


async def length(received: bytes, place: int | None) -> bytes:
    return f"{len(received)} {'with' if place is not None else 'without'} a place".encode()


@asynccontextmanager
async def opened(answers: Callable[..., object] = length, **limits: float) -> AsyncIterator[Path]:
    with tempfile.TemporaryDirectory(prefix="proa-") as directory:
        path = Path(directory) / "run" / "cni.sock"
        door, stopping = Door(path, answers, **limits), asyncio.Event()  # type: ignore[arg-type]
        task = asyncio.create_task(door.service(stopping))
        async with asyncio.timeout(10):
            while door.unready:  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0)
        try:
            yield path
        finally:
            stopping.set()
            await task


async def asked(path: Path, question: bytes, place: int | None = None) -> bytes:
    return await asyncio.to_thread(_asked, path, question, place)


def _asked(path: Path, question: bytes, place: int | None) -> bytes:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(10)
        client.connect(str(path))
        if place is not None:
            socket.send_fds(client, (question[:1],), (place,))
            question = question[1:]
        try:
            client.sendall(question)
            client.shutdown(socket.SHUT_WR)
            return client.recv(1000)
        except (BrokenPipeError, ConnectionResetError):
            return b""


async def test_who_asks_is_answered() -> None:
    async with opened() as path:
        with socket.socket() as place:
            assert await asked(path, b"x" * 100_000, place.fileno()) == b"100000 with a place"
        assert await asked(path, b"x") == b"1 without a place"


async def test_only_root_finds_it() -> None:
    async with opened() as path:
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.parent.stat().st_mode & 0o777 == 0o700


async def test_a_question_that_is_too_long_is_not_answered() -> None:
    async with opened() as path:
        assert await asked(path, b"x" * (LONGEST + 100_000)) == b""
        assert await asked(path, b"x") == b"1 without a place"


async def test_who_does_not_come_to_an_end_is_sent_away() -> None:
    async with opened(seconds_to_ask=0.5) as path:
        reader, writer = await asyncio.open_unix_connection(str(path))
        writer.write(b"x")
        assert await reader.read() == b""
        writer.close()


async def test_those_who_are_too_many_wait_for_the_others() -> None:
    most, present = 0, 0

    async def counted(received: bytes, place: int | None) -> bytes:
        nonlocal most, present
        present += 1
        most = max(most, present)
        await asyncio.sleep(0)
        present -= 1
        return await length(received, place)

    async with opened(counted, at_once=2) as path:
        answers = await asyncio.gather(*(asked(path, b"x") for _ in range(20)))
    assert set(answers) == {b"1 without a place"}
    assert most <= 2


async def test_a_fault_is_one_questions_own() -> None:
    async def faulty(received: bytes, place: int | None) -> bytes:
        if received == b"bad":
            raise ZeroDivisionError
        return await length(received, place)

    async with opened(faulty) as path:
        assert await asked(path, b"bad") == b""
        assert await asked(path, b"x") == b"1 without a place"


async def test_no_file_is_left_open() -> None:
    async with opened() as path:
        with socket.socket() as place:
            await asked(path, b"x", place.fileno())
            before = files()
            for _ in range(10):
                await asked(path, b"x", place.fileno())
            assert files() <= before


def files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_a_new_agent_takes_the_place_of_the_former() -> None:
    async with opened() as path:
        second, stopping = Door(path, lambda *_: length(b"second", None)), asyncio.Event()
        task = asyncio.create_task(second.service(stopping))
        async with asyncio.timeout(10):
            while second.unready:  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0)
        assert await asked(path, b"x") == b"6 without a place"
        stopping.set()
        await task
    with pytest.raises(OSError, match=r".*"):
        await asked(path, b"x")
