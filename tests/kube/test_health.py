"""The kubelet's and Prometheus' view of a process."""

import asyncio
import socket
from collections.abc import Callable

import aiohttp
from prometheus_client import CollectorRegistry, Gauge

from kube.health import NotReady, Readiness, Ready, health_service, listening, readiness_of


async def asked(port: int, path: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}{path}") as answer:
        return answer.status, await answer.text()


def started(
    readiness: Callable[[], Readiness], registry: CollectorRegistry | None = None, linger_seconds: float = 0.0
) -> tuple[int, asyncio.Event, asyncio.Task[None]]:
    listened, stopping = listening(0), asyncio.Event()
    service = health_service(listened, readiness, registry or CollectorRegistry(), linger_seconds)
    return listened.getsockname()[1], stopping, asyncio.create_task(service(stopping))


async def test_a_process_is_alive_before_it_is_ready_and_says_what_it_waits_for() -> None:
    state: list[Readiness] = [NotReady("no configuration: found nothing"), NotReady("namespaces not listed")]
    port, stopping, task = started(lambda: readiness_of(*state))
    await asyncio.sleep(0.05)
    assert await asked(port, "/healthz") == (200, "ok\n")
    assert await asked(port, "/readyz") == (503, "no configuration: found nothing\nnamespaces not listed\n")
    state[:] = [Ready(), Ready()]
    assert await asked(port, "/readyz") == (200, "ok\n")
    stopping.set()
    await task


async def test_a_stopping_process_says_that_it_is_unready_and_then_ends() -> None:
    # Long enough to be asked in on a machine that does something else for a moment.
    port, stopping, task = started(Ready, linger_seconds=2)
    await asyncio.sleep(0.05)
    stopping.set()
    assert await asked(port, "/readyz") == (503, "stopping\n")
    await task
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


async def test_metrics_are_those_of_the_registry() -> None:
    registry = CollectorRegistry()
    Gauge("proa_test", "Of a test.", registry=registry).set(7)
    port, stopping, task = started(Ready, registry)
    await asyncio.sleep(0.05)
    code, page = await asked(port, "/metrics")
    assert code == 200
    assert "proa_test 7.0" in page
    stopping.set()
    await task


async def test_both_families_are_answered() -> None:
    port, stopping, task = started(Ready)
    await asyncio.sleep(0.05)
    async with aiohttp.ClientSession() as session, session.get(f"http://[::1]:{port}/healthz") as answer:
        assert answer.status == 200
    stopping.set()
    await task
