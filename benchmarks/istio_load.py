"""Clients of Istio's protocol for its benchmark: in a hurry, at a pace, and with tokens that nobody knows."""

import asyncio
import json
import time
from base64 import urlsafe_b64encode
from typing import Any

import grpc.aio
import uvloop
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from ca.csr import stub_request
from ca.randomness import new_key

PODS = 64
CONNECTIONS, UNDER_WAY = 8, 16
CALLS = 2000
RATE, SECONDS = 500, 6
FLOODERS = 24
HOST = "proa-ca.proa-system.svc"
METHOD = "/istio.v1.auth.IstioCertificateService/CreateCertificate"


def token(pod: str, signature: str = "good") -> str:
    """Well made; the API server of the benchmark knows those with the right signature."""
    claims = {"aud": ["istio-ca"], "exp": time.time() + 3600, "kubernetes.io": {"pod": {"name": pod}}}
    return f"e30.{urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip('=')}.{signature}"


def message() -> bytes:
    """An IstioCertificateRequest with nothing but a request."""
    csr = x509.load_der_x509_csr(stub_request(new_key())).public_bytes(Encoding.PEM)
    return b"\x0a" + bytes([len(csr) % 128 + 128, len(csr) // 128]) + csr


class Client:
    """Some connections, and calls over them in turn."""

    def __init__(self, port: int, roots: bytes) -> None:
        options = {"grpc.ssl_target_name_override": HOST, "grpc.use_local_subchannel_pool": 1, "grpc.enable_retries": 0}
        credentials = grpc.ssl_channel_credentials(roots)
        address = f"127.0.0.1:{port}"
        self._channels = [
            grpc.aio.secure_channel(address, credentials, tuple(options.items())) for _ in range(CONNECTIONS)
        ]
        self._calls = [channel.unary_unary(METHOD) for channel in self._channels]
        self._messages = [message() for _ in range(PODS)]
        self._tokens = [token(f"web-{number}") for number in range(PODS)]

    async def one(self, number: int) -> float:
        """Seconds until the answer."""
        began = time.perf_counter()
        await self._sent(number, self._tokens[number % PODS])
        return time.perf_counter() - began

    async def bad(self, number: int) -> bool:
        """A token that nobody knows; whether it was refused."""
        try:
            await self._sent(number, token(f"bad-{number}", f"forged-{number}"))
        except Exception:  # noqa: BLE001 - the refusal that is wanted
            return True
        return False

    async def _sent(self, number: int, shown: str) -> None:
        headers = (("authorization", f"Bearer {shown}"),)
        await self._calls[number % CONNECTIONS](self._messages[number % PODS], metadata=headers)

    async def close(self) -> None:
        for channel in self._channels:
            await channel.close()


async def hurried(client: Client) -> None:
    """*CALLS*, some under way at a time."""
    numbers = iter(range(CALLS))

    async def work() -> None:
        for number in numbers:
            await client.one(number)

    await asyncio.gather(*(work() for _ in range(UNDER_WAY)))


async def paced(client: Client) -> list[float]:
    """Seconds that each of RATE calls a second took, in order of length."""
    began, calls = time.perf_counter(), []
    for number in range(RATE * SECONDS):
        await asyncio.sleep(max(began + number / RATE - time.perf_counter(), 0))
        calls.append(asyncio.create_task(client.one(number)))
    return sorted(await asyncio.gather(*calls))


def flood(told: Any, port: int, roots: bytes) -> None:
    """Bad tokens until told to stop; then how many a second."""

    async def run() -> None:
        client, stop, sent = Client(port, roots), asyncio.create_task(asyncio.to_thread(told.recv)), 0
        began = time.perf_counter()

        async def work() -> None:
            nonlocal sent
            while not stop.done():
                sent += 1
                if not await client.bad(sent):
                    raise SystemExit("a bad token was taken")

        await asyncio.gather(*(work() for _ in range(FLOODERS)))
        told.send(sent / (time.perf_counter() - began))
        await client.close()

    uvloop.run(run())
