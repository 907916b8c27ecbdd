"""Clients of Istio's protocol for its benchmarks: in a hurry, and at a pace."""

import asyncio
import json
import math
import time
from base64 import urlsafe_b64encode
from typing import NamedTuple

import grpc.aio
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from ca.csr import stub_request
from ca.randomness import new_key

PODS = 64
CONNECTIONS, UNDER_WAY = 8, 16
CALLS = 2000
RATE, SECONDS = 500, 6
HOST = "proa-ca.proa-system.svc"
SERVICE = "/istio.v1.auth.IstioCertificateService"
METHOD, NOTHING = f"{SERVICE}/CreateCertificate", f"{SERVICE}/Nothing"
"""The second one is the benchmark's own: it answers as many bytes, and does nothing for them."""


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

    def __init__(self, port: int, roots: bytes, method: str = METHOD) -> None:
        options = {"grpc.ssl_target_name_override": HOST, "grpc.use_local_subchannel_pool": 1}
        credentials = grpc.ssl_channel_credentials(roots)
        address = f"127.0.0.1:{port}"
        self._channels = [
            grpc.aio.secure_channel(address, credentials, tuple(options.items())) for _ in range(CONNECTIONS)
        ]
        self._calls = [channel.unary_unary(method) for channel in self._channels]
        self._messages = [message() for _ in range(PODS)]
        self._tokens = [token(f"web-{number}") for number in range(PODS)]

    async def one(self, number: int) -> float:
        """Seconds until the answer."""
        began = time.perf_counter()
        await self._sent(number, self._tokens[number % PODS])
        return time.perf_counter() - began

    async def due(self, number: int, when: float) -> "Answered":
        """As `one`, for a call that was to be sent at *when*: the answer is as late as if it had been."""
        sent = time.perf_counter()
        await self._sent(number, self._tokens[number % PODS])
        return Answered(time.perf_counter() - min(when, sent), max(sent - when, 0.0))

    async def _sent(self, number: int, shown: str) -> None:
        headers = (("authorization", f"Bearer {shown}"),)
        await self._calls[number % CONNECTIONS](self._messages[number % PODS], metadata=headers)

    async def close(self) -> None:
        for channel in self._channels:
            await channel.close()


class Answered(NamedTuple):
    """In seconds: *took* until the answer, and how *late* the call was sent, by the clients' own fault."""

    took: float
    late: float


async def hurried(client: Client) -> None:
    """*CALLS*, some under way at a time."""
    numbers = iter(range(CALLS))

    async def work() -> None:
        for number in numbers:
            await client.one(number)

    await asyncio.gather(*(work() for _ in range(UNDER_WAY)))


async def paced(client: Client) -> tuple[list[float], list[float]]:
    """Of each of RATE calls a second how long it took, without end where it failed, and how late it was sent; both in
    order of length. The next one is sent whether or not the one before was answered."""
    # An idle connection has been closed meanwhile.
    await asyncio.gather(*map(client.one, range(CONNECTIONS)))
    began, calls = time.perf_counter(), []
    for number in range(RATE * SECONDS):
        when = began + number / RATE
        await asyncio.sleep(max(when - time.perf_counter(), 0))
        calls.append(asyncio.create_task(client.due(number, when)))
    done = await asyncio.gather(*calls, return_exceptions=True)
    answered = [each for each in done if isinstance(each, Answered)]
    failed = [math.inf] * (len(done) - len(answered))
    return sorted([*(each.took for each in answered), *failed]), sorted(each.late for each in answered)
