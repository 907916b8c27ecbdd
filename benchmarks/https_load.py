"""The webhook over HTTPS on one core: how many reviews a second, how late at 1000 a second, how much memory.

The server has one core to itself and the client another; each of the client's keep-alive connections has one review
under way at a time, as the API server's would. The server logs each review, to nowhere.
"""

import asyncio
import multiprocessing
import os
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import uvloop
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from proa import names
from proa.mesh import MeshConfiguration
from proa.running import run_until_stopped
from proa.telemetry import configure_logging
from webhook.server import application, https_service

CONNECTIONS = (1, 8)
REVIEWS = 8000
"""For each number of connections."""
RATE, RATE_SECONDS, RATE_CONNECTIONS = 1000, 5, 8
_SPUN_SECONDS = 0.003
MANY, SAMPLES = 100_000, 10
LABELS = {names.INJECT: "enabled"}


def certificate(path: Path) -> None:
    """A certificate for the loopback that is its own root, and its key."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "webhook")])
    loopback = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    built = builder.not_valid_before(now - timedelta(hours=1)).not_valid_after(now + timedelta(hours=1))
    pem, encoding = built.add_extension(loopback, critical=False).sign(key, hashes.SHA256()), serialization.Encoding.PEM
    private = key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(private + pem.public_bytes(encoding))


def serve(listening: socket.socket, pem: Path) -> None:
    """The webhook in a process of its own, on the first core."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    import webhook.process  # noqa: F401, PLC0415 - all that the process imports is part of the figures

    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
    configure_logging()
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(pem)
    service = https_service(application(MeshConfiguration(), lambda _: LABELS), listening, tls)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run_until_stopped(service))


@contextmanager
def served(pem: Path) -> Iterator[tuple[tuple[str, int], int]]:
    """Its address and process. Spawned, so that what it holds is its own."""
    listening = socket.create_server(("127.0.0.1", 0))
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(listening, pem))
    process.start()
    assert process.pid is not None  # noqa: S101 - started
    try:
        yield listening.getsockname(), process.pid
    finally:
        listening.close()
        process.terminate()
        process.join()


async def answered(reader: asyncio.StreamReader) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200"):
        sys.exit(head.decode())
    length = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
    await reader.readexactly(int(length.split(b":")[1]))


async def client(address: tuple[str, int], tls: ssl.SSLContext, request: bytes, taken: list[float], share: int) -> None:
    """*share* reviews one after the other on one connection; what each took in seconds goes to *taken*."""
    reader, writer = await asyncio.open_connection(*address, ssl=tls)
    for _ in range(share):
        start = time.perf_counter()
        writer.write(request)
        await answered(reader)
        taken.append(time.perf_counter() - start)
    writer.close()


def percentiles(taken: list[float]) -> dict[str, float]:
    taken.sort()
    return {
        "p50_milliseconds": round(taken[len(taken) // 2] * 1e3, 2),
        "p99_milliseconds": round(taken[len(taken) * 99 // 100] * 1e3, 2),
    }


async def closed(
    address: tuple[str, int], tls: ssl.SSLContext, request: bytes, connections: int, count: int = REVIEWS
) -> dict[str, Any]:
    """Each connection asks again as soon as it is answered."""
    taken: list[float] = []
    start = time.perf_counter()
    await asyncio.gather(*(client(address, tls, request, taken, count // connections) for _ in range(connections)))
    seconds = time.perf_counter() - start
    return {"connections": connections, "per_second": round(len(taken) / seconds), **percentiles(taken)}


async def paced(address: tuple[str, int], tls: ssl.SSLContext, request: bytes) -> dict[str, Any]:
    """RATE reviews a second, each measured from when it was due: who waits for a connection waits in the figure.

    Timers of event loops go by whole milliseconds, which would be in the figure, too: the last ones are spun through.
    """
    taken: list[float] = []
    begin = time.perf_counter() + 0.1

    async def connection(number: int) -> None:
        reader, writer = await asyncio.open_connection(*address, ssl=tls)
        for each in range(number, RATE * RATE_SECONDS, RATE_CONNECTIONS):
            due = begin + each / RATE
            await asyncio.sleep(due - time.perf_counter() - _SPUN_SECONDS)
            while time.perf_counter() < due:  # noqa: ASYNC110 - no event comes when it is due
                await asyncio.sleep(0)
            writer.write(request)
            await answered(reader)
            taken.append(time.perf_counter() - due)
        writer.close()

    await asyncio.gather(*(connection(number) for number in range(RATE_CONNECTIONS)))
    return {"per_second": RATE, "connections": RATE_CONNECTIONS, **percentiles(taken)}


def resident(process: int) -> float:
    """MiB."""
    pages = int(Path(f"/proc/{process}/statm").read_text(encoding="utf-8").split()[1])
    return round(pages * os.sysconf("SC_PAGE_SIZE") / 2**20, 1)


def processor_seconds(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def load(address: tuple[str, int], pem: Path, body: bytes, process: int) -> dict[str, Any]:
    tls = ssl.create_default_context(cafile=str(pem))
    fields = f"Host: webhook\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    request = f"POST /inject?timeout=5s HTTP/1.1\r\n{fields}\r\n\r\n".encode() + body
    await client(address, tls, request, [], 200)
    figures: dict[str, Any] = {"closed": [await closed(address, tls, request, each) for each in CONNECTIONS]}
    figures["paced"] = await paced(address, tls, request)
    held, before = [], processor_seconds(process)
    for _ in range(SAMPLES):
        await closed(address, tls, request, CONNECTIONS[-1], MANY // SAMPLES)
        held.append(resident(process))
    microseconds = round((processor_seconds(process) - before) / MANY * 1e6)
    return {**figures, "reviews": MANY, "processor_microseconds": microseconds, "resident_mebibytes": held}


def over_https(body: bytes) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as directory:
        pem = Path(directory) / "webhook.pem"
        certificate(pem)
        with served(pem) as (address, process):
            os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                return runner.run(load(address, pem, body, process))


def starting() -> float:
    """Seconds from a process's start, with all that the webhook's imports, to its first handshake."""
    with tempfile.TemporaryDirectory() as directory:
        pem = Path(directory) / "webhook.pem"
        certificate(pem)
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        start = time.perf_counter()
        with subprocess.Popen([sys.executable, __file__, str(pem), str(port)], stderr=subprocess.DEVNULL) as process:
            try:
                while not accepts(port, pem):
                    time.sleep(0.005)
                return round(time.perf_counter() - start, 2)
            finally:
                process.terminate()


def accepts(port: int, pem: Path) -> bool:
    tls = ssl.create_default_context(cafile=str(pem))
    try:
        with (
            socket.create_connection(("127.0.0.1", port), 5) as plain,
            tls.wrap_socket(plain, server_hostname="127.0.0.1"),
        ):
            return True
    except ConnectionRefusedError:
        return False


if __name__ == "__main__":
    serve(socket.create_server(("127.0.0.1", int(sys.argv[2]))), Path(sys.argv[1]))
