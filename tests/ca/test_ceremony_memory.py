"""In the memory of the process that takes requests there is no root's key, whatever it has made and rotated meanwhile.

By the real process: all that it may write to is read and searched. That the search finds keys, the issuer's shows.
"""

import asyncio
import os
import re
import signal
import sys
from base64 import b64decode
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from ca.phases import Advance, Start, Wish, name_of, record_of, written
from support.door import Requests
from support.ports import free_ports
from support.reaching import reached

COMMANDS = Path(sys.executable).parent
SECRETS = "/api/v1/namespaces/proa-system/secrets"
SECONDS = 60.0


@asynccontextmanager
async def authority(kubeconfig: Path) -> AsyncIterator[int]:
    """`proa-ca`: its process."""
    (port,) = free_ports(1)
    told = {**os.environ, "KUBECONFIG": str(kubeconfig), "POD_NAME": "proa-ca-0", "HEALTH_PORT": str(port)}
    with (kubeconfig.parent / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(COMMANDS / "proa-ca", env=told, stderr=log)
    try:
        yield process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0


def memory(process: int) -> Iterator[bytes]:
    """Of all that it may write to, region by region."""
    regions = re.findall(r"^(\w+)-(\w+) rw", Path(f"/proc/{process}/maps").read_text(), re.MULTILINE)
    with Path(f"/proc/{process}/mem").open("rb", buffering=0) as whole:
        for start, end in regions:
            # A region that the kernel keeps to itself.
            with suppress(OSError):
                yield os.pread(whole.fileno(), int(end, 16) - int(start, 16), int(start, 16))


def shapes(secret: Any, place: str) -> set[bytes]:
    """What a key looks like: in the API server's answer, as PEM, as a number, as OpenSSL keeps one."""
    sent: str = secret["data"][place]
    key: Any = load_pem_private_key(b64decode(sent), None)
    number = key.private_numbers().private_value.to_bytes(32, "big")
    # The first line of PEM is nearly the same for all keys of a kind.
    return {sent.encode()[124:160], b64decode(sent).splitlines()[2][:26], number, number[::-1]}


def found(process: int, *shaped: set[bytes]) -> list[bool]:
    """Of each key, whether any of its shapes is there."""
    read = list(memory(process))
    return [any(shape in region for region in read for shape in shapes) for shapes in shaped]


async def asked(server: Requests, wish: Wish) -> None:
    secret = server.found(f"{SECRETS}/proa-ca")
    noted = {**secret["metadata"].get("annotations", {}), "proa.dev/rotate": written(wish)}
    await server.put(f"{SECRETS}/proa-ca", **{**secret, "metadata": {**secret["metadata"], "annotations": noted}})


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs Linux's /proc")
async def test_no_roots_key_is_in_the_memory_of_who_takes_requests(api_server: Requests, tmp_path: Path) -> None:
    def phase() -> str:
        return name_of(record_of(api_server.found(f"{SECRETS}/proa-ca")).phase)

    async with authority(api_server.kubeconfig(tmp_path)) as process:
        await reached(lambda: api_server.objects("clustertrustbundles"), SECONDS)
        first = shapes(api_server.found(f"{SECRETS}/proa-ca-root"), "tls.key")
        await asked(api_server, Start())
        await reached(lambda: phase() == "settling", SECONDS)
        following = shapes(api_server.found(f"{SECRETS}/proa-ca-root"), "next.key")
        await asked(api_server, Advance("settling"))
        await reached(lambda: phase() == "renewing", SECONDS)
        issuer = shapes(api_server.found(f"{SECRETS}/proa-ca"), "tls.key")
        await reached(lambda: found(process, issuer) == [True])
        await asked(api_server, Advance("renewing"))
        await reached(lambda: "next.key" not in api_server.found(f"{SECRETS}/proa-ca-root")["data"], SECONDS)
        assert found(process, issuer, first, following) == [True, False, False]
    assert b"PRIVATE" not in (tmp_path / "log").read_bytes()
