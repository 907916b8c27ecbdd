import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from structlog.testing import capture_logs

from kube.connections import https_service, load
from support.roots import DAY, NOW, Root, Volume, pem_of
from webhook.serving import Serving

NAME = "proa-webhook.proa-system.svc"
ROOT, API_SERVERS = Root(), Root("api-servers")


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def volume(tmp_path: Path) -> Volume:
    return Volume(tmp_path)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def expiries() -> list[datetime]:
    return []


@pytest.fixture
def serving(volume: Volume, clock: Clock, expiries: list[datetime]) -> Serving:
    return Serving(volume.path, clock, expiries.append)


@asynccontextmanager
async def listening(serving: Serving) -> AsyncIterator[tuple[str, int]]:
    async def echo(request: web.Request) -> web.Response:
        return web.Response(body=await request.read())

    served = web.Application()
    served.router.add_post("/", echo)
    door, stopping = socket.create_server(("127.0.0.1", 0)), asyncio.Event()
    address = door.getsockname()
    task = asyncio.create_task(https_service(served, door, serving.tls)(stopping))
    try:
        yield address
    finally:
        stopping.set()
        await task


async def opened(
    address: tuple[str, int], root: Root = ROOT, *, ancient: bool = False, shown: bytes | None = None, **settings: Any
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    context = ssl.create_default_context(cadata=root.pem.decode())
    if ancient:
        context.set_ciphers("ALL:@SECLEVEL=0")
    if shown:
        load(context, shown)
    for setting, value in settings.items():
        setattr(context, setting, value)
    return await asyncio.open_connection(*address, ssl=context, server_hostname=NAME)


async def answered(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    writer.write(b"POST / HTTP/1.1\r\nHost: webhook\r\nContent-Length: 5\r\n\r\nhello")
    await reader.readuntil(b"\r\n\r\n")
    return await reader.readexactly(5)


def serial(writer: asyncio.StreamWriter) -> int:
    der = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    return x509.load_der_x509_certificate(der).serial_number


def serial_of(pem: bytes) -> int:
    return x509.load_pem_x509_certificates(pem)[0].serial_number


@pytest.mark.parametrize("kind", ["bundle", "pair"])
async def test_it_serves_what_the_kubelet_or_cert_manager_wrote(serving: Serving, volume: Volume, kind: str) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    chain = ROOT.chain(NAME, key)
    if kind == "bundle":
        volume.write(credential_bundle__pem=pem_of(key) + chain, trust_bundle__pem=ROOT.pem)
    else:
        volume.write(tls__key=pem_of(key), tls__crt=chain, ca__crt=ROOT.pem)
    serving.reread()
    async with listening(serving) as address:
        connection = await opened(address)
        assert serial(connection[1]) == serial_of(chain)
        assert await answered(*connection) == b"hello"
        connection[1].close()


async def test_a_new_certificate_is_for_new_connections_and_the_old_ones_go_on(
    serving: Serving, volume: Volume, expiries: list[datetime]
) -> None:
    first, second = ROOT.bundle(NAME), ROOT.bundle(NAME, ends=NOW + 2 * DAY)
    volume.write(credential_bundle__pem=first)
    serving.reread()
    async with listening(serving) as address:
        old = await opened(address)
        assert await answered(*old) == b"hello"
        volume.write(credential_bundle__pem=second)
        serving.reread()
        new = await opened(address)
        assert [serial(old[1]), serial(new[1])] == [serial_of(first), serial_of(second)]
        assert await answered(*old) == b"hello"
        assert await answered(*new) == b"hello"
        for _, writer in (old, new):
            writer.close()
    assert expiries == [NOW + DAY, NOW + 2 * DAY]


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        b"-----BEGIN CERTIFICATE-----\n",
        ROOT.bundle(NAME, NOW - 2 * DAY, NOW - DAY),
        ROOT.bundle(NAME, NOW + DAY, NOW + 2 * DAY),
        pem_of(ec.generate_private_key(ec.SECP256R1())) + ROOT.chain(NAME, ec.generate_private_key(ec.SECP256R1())),
    ],
    ids=["empty", "torn", "expired", "not yet valid", "mismatched"],
)
async def test_files_that_cannot_be_served_leave_the_last_good_in_force_and_say_so_once(
    serving: Serving, volume: Volume, broken: bytes
) -> None:
    good = ROOT.bundle(NAME)
    volume.write(credential_bundle__pem=good)
    serving.reread()
    volume.write(credential_bundle__pem=broken)
    with capture_logs() as lines:
        for _ in range(3):
            serving.reread()
    (line,) = lines
    assert line["log_level"] == "warning"
    assert serving.problem
    assert serving.certified
    async with listening(serving) as address:
        reader, writer = await opened(address)
        assert serial(writer) == serial_of(good)
        assert await answered(reader, writer) == b"hello"
        writer.close()
    volume.write(credential_bundle__pem=ROOT.bundle(NAME))
    serving.reread()
    assert serving.problem is None


async def test_a_certificate_that_becomes_valid_is_taken_without_another_write(
    serving: Serving, volume: Volume, clock: Clock
) -> None:
    volume.write(credential_bundle__pem=ROOT.bundle(NAME, NOW + timedelta(minutes=1)))
    serving.reread()
    assert not serving.certified
    clock.now += timedelta(minutes=2)
    serving.reread()
    assert serving.certified


async def test_the_pair_is_taken_from_one_moment(serving: Serving, volume: Volume) -> None:
    for _ in range(2):
        key = ec.generate_private_key(ec.SECP256R1())
        volume.write(tls__key=pem_of(key), tls__crt=ROOT.chain(NAME, key))
        serving.reread()
        assert serving.problem is None


async def test_without_a_certificate_it_listens_and_every_handshake_fails(serving: Serving, volume: Volume) -> None:
    serving.reread()
    assert serving.problem
    assert str(volume.path) in serving.problem
    async with listening(serving) as address:
        # An alert, or a reset that overtakes it.
        with pytest.raises((ssl.SSLError, ConnectionResetError)):
            await opened(address)
        volume.write(credential_bundle__pem=ROOT.bundle(NAME))
        serving.reread()
        connection = await opened(address)
        assert await answered(*connection) == b"hello"
        connection[1].close()


@asynccontextmanager
async def lenient() -> AsyncIterator[tuple[str, int]]:
    """A server that speaks what ours must not: it shows that the client does."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.minimum_version = ssl.TLSVersion.TLSv1
    tls.set_ciphers("ALL:@SECLEVEL=0")
    load(tls, ROOT.bundle(NAME))

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with await asyncio.start_server(hold, "127.0.0.1", 0, ssl=tls) as server:
        yield server.sockets[0].getsockname()


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
async def test_nothing_older_than_tls_1_2_is_spoken(serving: Serving, volume: Volume) -> None:
    volume.write(credential_bundle__pem=ROOT.bundle(NAME))
    serving.reread()
    async with listening(serving) as address:
        for version in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
            # An alert, or a reset that overtakes it.
            with pytest.raises((ssl.SSLError, ConnectionResetError)):
                await opened(address, minimum_version=version, maximum_version=version, ancient=True)
            async with lenient() as other:
                _, writer = await opened(other, minimum_version=version, maximum_version=version, ancient=True)
                writer.close()
                await writer.wait_closed()
        newer = ssl.TLSVersion.TLSv1_2
        _, writer = await opened(address, minimum_version=newer, maximum_version=newer)
        assert writer.get_extra_info("ssl_object").version() == "TLSv1.2"
        writer.close()


@pytest.fixture
def client_roots(tmp_path: Path) -> Path:
    file = tmp_path / "client-roots.pem"
    file.write_bytes(API_SERVERS.pem)
    return file


@pytest.fixture
def suspicious(volume: Volume, clock: Clock, client_roots: Path) -> Serving:
    """A server that verifies its clients."""
    volume.write(credential_bundle__pem=ROOT.bundle(NAME))
    found = Serving(volume.path, clock, lambda _: None, client_roots)
    found.reread()
    assert found.problem is None
    return found


async def refused(address: tuple[str, int], shown: bytes | None) -> bool:
    """Whether a client that shows a certificate, or none, gets no answer. In TLS 1.3 it only learns when it reads."""
    try:
        reader, writer = await opened(address, shown=shown)
    except (ssl.SSLError, ConnectionError):
        return True
    try:
        return await answered(reader, writer) != b"hello"
    except (ssl.SSLError, ConnectionError, asyncio.IncompleteReadError):
        return True
    finally:
        writer.transport.abort()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_only_a_client_with_a_certificate_of_the_clients_roots_is_answered(
    suspicious: Serving, version: ssl.TLSVersion
) -> None:
    suspicious.tls.maximum_version = version
    async with listening(suspicious) as address:
        assert not await refused(address, API_SERVERS.bundle("api-server"))
        assert await refused(address, None)
        assert await refused(address, Root("api-servers").bundle("api-server")), "another root of the same name"
        assert await refused(address, ROOT.bundle("api-server")), "the root of the servers"
        assert await refused(address, API_SERVERS.bundle("api-server", NOW - 2 * DAY, NOW - DAY)), "expired"


async def test_the_clients_roots_are_read_anew_and_the_last_good_ones_kept(
    suspicious: Serving, client_roots: Path
) -> None:
    later = Root("later")
    async with listening(suspicious) as address:
        for text, problem in ((b"", True), (later.pem, False)):
            assert not await refused(address, API_SERVERS.bundle("api-server"))
            client_roots.write_bytes(text)  # noqa: ASYNC240 - of a test
            suspicious.reread()
            assert (suspicious.problem is not None) == problem
        assert await refused(address, API_SERVERS.bundle("api-server"))
        assert not await refused(address, later.bundle("api-server"))


async def test_a_client_that_was_answered_resumes_no_session(suspicious: Serving) -> None:
    async with listening(suspicious) as address:
        reader, writer = await opened(address, shown=API_SERVERS.bundle("api-server"))
        assert await answered(reader, writer) == b"hello"
        session = writer.get_extra_info("ssl_object").session
        assert session is None or not session.has_ticket
        writer.close()


async def test_the_self_test_is_a_client_that_this_process_knows_and_no_other_does(
    suspicious: Serving, volume: Volume, clock: Clock, client_roots: Path
) -> None:
    other = Serving(volume.path, clock, lambda _: None, client_roots)
    async with listening(suspicious) as address:
        for who, known in ((suspicious, True), (other, False)):
            context = ssl.create_default_context(cadata=ROOT.pem.decode())
            who.self_certified(context)
            reader, writer = await asyncio.open_connection(*address, ssl=context, server_hostname=NAME)
            if known:
                assert await answered(reader, writer) == b"hello"
            else:
                with pytest.raises((ssl.SSLError, ConnectionError, asyncio.IncompleteReadError)):
                    await answered(reader, writer)
            writer.transport.abort()


async def test_the_service_rereads_until_it_is_stopped(
    volume: Volume, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webhook.serving.REREAD_SECONDS", 0.01)
    stopping, changed = asyncio.Event(), asyncio.Event()
    serving = Serving(volume.path, clock, lambda _: changed.set())
    task = asyncio.create_task(serving.service(stopping))
    await asyncio.sleep(0)
    assert not changed.is_set()
    volume.write(credential_bundle__pem=ROOT.bundle(NAME))
    await asyncio.wait_for(changed.wait(), 5)
    stopping.set()
    await asyncio.wait_for(task, 5)


def test_the_clock_of_these_tests_is_the_machines() -> None:
    # OpenSSL verifies by the machine's clock: the certificates above must hold by it.
    assert abs(datetime.now(UTC) - NOW) < DAY
