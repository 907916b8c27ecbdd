"""Answers the kubelet's probes and Prometheus, on a port of its own. Shell."""

import asyncio
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from proa.running import Service

LINGER_SECONDS: Final = 3.0
"""How long a stopping process still says that it is unready, instead of refusing to connect."""


@dataclass(frozen=True, slots=True)
class Ready:
    pass


@dataclass(frozen=True, slots=True)
class NotReady:
    """*reason* is for the admin who reads the pod's events: what is missing, and where to look."""

    reason: str


Readiness: TypeAlias = Ready | NotReady


def readiness_of(*parts: Readiness) -> Readiness:
    """Ready if all *parts* are; else every reason, one a line."""
    reasons = [part.reason for part in parts if isinstance(part, NotReady)]
    return NotReady("\n".join(reasons)) if reasons else Ready()


def health_service(
    at: int | socket.socket,
    readiness: Callable[[], Readiness],
    registry: CollectorRegistry,
    linger_seconds: float = LINGER_SECONDS,
) -> Service:
    """`/healthz`, `/readyz` (503 and why) and `/metrics`, on the port *at* of every address or on a bound socket.

    While it runs the process is alive: nothing else could be mended by starting it again. From when it is told to
    stop it answers unready, for *linger_seconds*.
    """

    async def serve(stopping: asyncio.Event) -> None:
        def now() -> Readiness:
            return NotReady("stopping") if stopping.is_set() else readiness()

        runner = web.AppRunner(_application(now, registry), access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        try:
            await web.SockSite(runner, listening(at) if isinstance(at, int) else at).start()
            await stopping.wait()
            await asyncio.sleep(linger_seconds)
        finally:
            await runner.cleanup()

    return serve


def listening(port: int) -> socket.socket:
    """A socket on *port* of every address of both families, or of IPv4 where the kernel has no IPv6."""
    both = socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if both else socket.AF_INET
    return socket.create_server(("", port), family=family, dualstack_ipv6=both)


def _application(readiness: Callable[[], Readiness], registry: CollectorRegistry) -> web.Application:
    async def alive(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def ready(_: web.Request) -> web.Response:
        match readiness():
            case NotReady(reason):
                return web.Response(status=503, text=f"{reason}\n")
            case Ready():
                return web.Response(text="ok\n")

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    served = web.Application()
    served.router.add_get("/healthz", alive)
    served.router.add_get("/readyz", ready)
    served.router.add_get("/metrics", metrics)
    return served
