import asyncio
import random
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from aiohttp import web

from kube.connections import https_service
from support.roots import NOW, Root
from webhook.serving import Serving

NAME = "proa-webhook.proa-system.svc"
ROOT = Root()
LARGE = b"GET /large HTTP/1.1\r\nHost: webhook\r\n\r\n"
REQUEST = b"GET / HTTP/1.1\r\nHost: webhook\r\n\r\n"


@pytest.fixture
def serving(tmp_path: Path) -> Serving:
    (tmp_path / "credential-bundle.pem").write_bytes(ROOT.bundle(NAME))
    found = Serving(tmp_path, lambda: NOW, lambda _: None)
    found.reread()
    return found


@asynccontextmanager
async def listening(serving: Serving, lag: float = 0.0) -> AsyncIterator[tuple[tuple[str, int], asyncio.Event]]:
    async def ok(_: web.Request) -> web.Response:
        return web.Response(text="ok")

    async def large(_: web.Request) -> web.Response:
        return web.Response(body=bytes(1024 * 1024))

    served = web.Application()
    served.router.add_get("/", ok)
    served.router.add_get("/large", large)
    door, stopping = socket.create_server(("127.0.0.1", 0)), asyncio.Event()
    address = door.getsockname()
    task = asyncio.create_task(https_service(served, door, serving.tls, lag)(stopping))
    try:
        yield address, stopping
    finally:
        stopping.set()
        await asyncio.wait_for(task, 30)


async def opened(address: tuple[str, int]) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    context = ssl.create_default_context(cadata=ROOT.pem.decode())
    return await asyncio.open_connection(*address, ssl=context, server_hostname=NAME)


async def status(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    writer.write(REQUEST)
    head = await reader.readuntil(b"\r\n\r\n")
    await reader.readexactly(2)
    return head.split(b" ")[1]


async def test_a_client_beyond_the_bound_waits_until_another_goes(
    serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kube.connections.CONNECTIONS", 2)
    async with listening(serving) as (address, _):
        first, second = await opened(address), await opened(address)
        third = asyncio.create_task(opened(address))
        assert await status(*first) == await status(*second) == b"200"
        assert not third.done()
        first[1].close()
        connection = await asyncio.wait_for(third, 5)
        assert await status(*connection) == b"200"
        for _, writer in (second, connection):
            writer.close()


async def test_a_failed_handshake_gives_its_place_back(serving: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kube.connections.CONNECTIONS", 1)
    async with listening(serving) as (address, _):
        for _ in range(3):
            reader, writer = await asyncio.open_connection(*address)
            writer.write(b"GET / HTTP/1.1\r\n\r\n")
            await reader.read()
            writer.close()
        connection = await asyncio.wait_for(opened(address), 5)
        assert await status(*connection) == b"200"
        connection[1].close()


async def test_who_says_nothing_in_the_handshake_is_hung_up_on(
    serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kube.connections.HANDSHAKE_SECONDS", 0.05)
    async with listening(serving) as (address, _):
        reader, writer = await asyncio.open_connection(*address)
        assert await asyncio.wait_for(reader.read(), 5) == b""
        writer.close()


@pytest.mark.parametrize("said", [b"", b"GET / HTTP/1.1\r\nHost: web"])
async def test_who_sends_no_whole_head_is_hung_up_on(
    serving: Serving, monkeypatch: pytest.MonkeyPatch, said: bytes
) -> None:
    monkeypatch.setattr("kube.connections.FIRST_REQUEST_SECONDS", 0.05)
    async with listening(serving) as (address, _):
        reader, writer = await opened(address)
        writer.write(said)
        assert await asyncio.wait_for(reader.read(), 5) == b""
        writer.close()


async def test_who_has_asked_once_may_stay(serving: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    # Long enough to ask within on a machine that does something else for a moment.
    monkeypatch.setattr("kube.connections.FIRST_REQUEST_SECONDS", 1.0)
    async with listening(serving) as (address, _):
        connection = await opened(address)
        assert await status(*connection) == b"200"
        silent = await opened(address)
        assert await asyncio.wait_for(silent[0].read(), 30) == b""
        # The silent one's time, which began later, is over.
        assert await status(*connection) == b"200"
        for _, writer in (connection, silent):
            writer.close()


async def test_it_serves_new_connections_for_the_lag_and_then_none(serving: Serving) -> None:
    # Long enough for a handshake on a machine that does something else for a moment.
    async with listening(serving, lag=2) as (address, stopping):
        idle = await opened(address)
        stopping.set()
        late = await opened(address)
        assert await status(*late) == b"200"
        assert await asyncio.wait_for(idle[0].read(), 30) == b""
        with pytest.raises(OSError, match="Connect call failed"):
            await asyncio.open_connection(*address)
        for _, writer in (idle, late):
            writer.close()


async def test_a_hundred_clients_at_once_are_all_answered(serving: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    # All handshakes begin at once, both sides of each in this one process.
    monkeypatch.setattr("kube.connections.HANDSHAKE_SECONDS", 60.0)
    monkeypatch.setattr("kube.connections.FIRST_REQUEST_SECONDS", 60.0)

    async def one() -> bytes:
        connection = await opened(address)
        answer = await status(*connection)
        connection[1].close()
        return answer

    async with listening(serving) as (address, _):
        assert await asyncio.gather(*(one() for _ in range(100))) == [b"200"] * 100


async def test_who_takes_no_answers_is_hung_up_on(serving: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kube.connections.WRITE_SECONDS", 0.1)
    monkeypatch.setattr("kube.connections.CONNECTIONS", 1)
    async with listening(serving) as (address, _):
        _, greedy = await opened(address)

        async def ask() -> None:
            while True:
                greedy.write(LARGE * 32)
                await greedy.drain()

        # It never reads: its stream's buffer fills, then the kernel's, then the server's.
        asking = asyncio.create_task(ask())
        connection = await asyncio.wait_for(opened(address), 10)
        assert await status(*connection) == b"200"
        asking.cancel()
        connection[1].close()
        greedy.transport.abort()


HOSTILE = [
    b"\x00" * 100,
    b"GET",
    b"\r\n" * 50,
    b"GET / HTTP/9.9\r\n\r\n",
    b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
    b"POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
    b"GET / HTTP/1.1\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 5_000 + b"\r\n",
    b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: w\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n" + b"\x81" * 1000,
]


async def sent_and_left(address: tuple[str, int], said: bytes) -> None:
    """Sends it and stays until it is hung up on, or for a moment."""
    reader, writer = await opened(address)
    with suppress(OSError, TimeoutError):
        writer.write(said)
        async with asyncio.timeout(0.2):
            await reader.read()
    writer.transport.abort()


@pytest.mark.parametrize("said", HOSTILE, ids=range(len(HOSTILE)))
async def test_after_whatever_is_no_request_the_place_is_given_back_and_the_next_is_answered(
    serving: Serving, monkeypatch: pytest.MonkeyPatch, said: bytes
) -> None:
    monkeypatch.setattr("kube.connections.CONNECTIONS", 1)
    async with listening(serving) as (address, _):
        for _ in range(3):
            await sent_and_left(address, said)
        connection = await asyncio.wait_for(opened(address), 5)
        assert await asyncio.wait_for(status(*connection), 5) == b"200"
        connection[1].close()


async def test_after_bytes_at_random_the_places_are_all_there(
    serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(0)  # noqa: S311 - noise, the same each time
    monkeypatch.setattr("kube.connections.CONNECTIONS", 1)
    async with listening(serving) as (address, _):
        for number in range(60):
            noise = bytearray(REQUEST + chance.randbytes(chance.randrange(40)))
            noise[chance.randrange(len(noise))] = chance.randrange(256)
            if number % 3:
                reader, writer = await opened(address)
            else:
                # Before the handshake: the noise is the handshake.
                reader, writer = await asyncio.open_connection(*address)
            writer.write(noise)
            with suppress(OSError, TimeoutError):
                async with asyncio.timeout(0.02):
                    await reader.read()
            writer.transport.abort()
        connection = await asyncio.wait_for(opened(address), 5)
        assert await status(*connection) == b"200"
        third = asyncio.create_task(opened(address))
        assert await status(*connection) == b"200"
        assert not third.done(), "not one place too many was given back"
        connection[1].close()
        (await asyncio.wait_for(third, 5))[1].close()
