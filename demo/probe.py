"""The kubelet's HTTP probes, sent from the node's network namespace. Shell."""

import asyncio
import http.client
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Final

from demo.network import NODE, socket_in
from proa.errors import ProaError

_TIMEOUT: Final = 1.0
_PAUSE: Final = 0.05
"""Between two tries. The kubelet's period is a second at least; nobody watching the demo needs to wait so long."""


@dataclass(eq=False)
class ProbeFailed(ProaError):
    """A container did not answer its probe within the time its spec allows, in seconds."""

    code: ClassVar[str] = "probe_failed"
    url: str
    within: float
    outcome: str

    def __str__(self) -> str:
        return f"{self.url} did not answer {self.within:.0f} s: {self.outcome}"


@dataclass(frozen=True, slots=True)
class Target:
    """What a probe asks. *ended* answers the container's exit status, None while it runs."""

    address: str
    port: int
    path: str
    ended: Callable[[], int | None]


async def answered(target: Target, within: float) -> None:
    """Return once the target answers 200 to 399. Raises ProbeFailed after *within* seconds, or when it ended."""
    deadline = time.monotonic() + within
    while True:
        status = target.ended()
        outcome = f"it ended with {status}" if status is not None else await asyncio.to_thread(_outcome, target)
        if outcome.isdigit() and 200 <= int(outcome) < 400:
            return
        if status is not None or time.monotonic() > deadline:
            raise ProbeFailed(f"http://{target.address}:{target.port}{target.path}", within, outcome)
        await asyncio.sleep(_PAUSE)


def fetched(address: str, port: int, path: str, seconds: float = _TIMEOUT) -> tuple[int, str]:
    """Status and body of one GET from the node, which waits for *seconds*. Raises OSError."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    connection = http.client.HTTPConnection(address, port, timeout=seconds)
    with socket_in(NODE, family, socket.SOCK_STREAM) as stream:
        stream.settimeout(seconds)
        stream.connect((address, port))
        connection.sock = stream
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read().decode()


def _outcome(target: Target) -> str:
    try:
        return str(fetched(target.address, target.port, target.path)[0])
    except (OSError, http.client.HTTPException) as error:
        return f"{type(error).__name__} {error}"
