"""The self-test, against the real server over real TLS: what stands in for the API server's index is a value."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import aiohttp
import pytest
from prometheus_client import CollectorRegistry

from kube.index import Index
from proa.mesh import MeshConfiguration
from support.roots import NOW, Root
from webhook.metrics import Metrics
from webhook.registration import Revision, registration
from webhook.server import application, https_service
from webhook.serving import Serving
from webhook.standing import NOT_TESTED, Standing
from webhook.trust import Registration, ca_bundle, registered, trusting

NAME = "proa-webhook"
HOST = "proa-webhook.proa-system.svc"
ROOT, OTHER = Root("ours"), Root("another")


class Known:
    """What the index knows of registrations."""

    def __init__(self) -> None:
        self.synced = asyncio.Event()
        self.registration: Registration | None = None

    def get(self, _: str | None, name: str) -> Registration | None:
        assert name == NAME
        return self.registration


def trusted(*roots: Root) -> Registration:
    """As the leader left it, with the bundle of *roots*."""
    made: Any = registration(Revision())
    applied: Any = trusting(registered(made), ca_bundle(b"".join(root.pem for root in roots)))
    for entry, addition in zip(made["webhooks"], applied["webhooks"], strict=True):
        entry["clientConfig"].update(addition["clientConfig"])
    return registered(made)


@asynccontextmanager
async def listening(directory: Path, name: str = HOST) -> AsyncIterator[int]:
    (directory / "credential-bundle.pem").write_bytes(ROOT.bundle(name))
    serving = Serving(directory, lambda: NOW, lambda _: None)
    serving.reread()
    door, stopping = socket.create_server(("127.0.0.1", 0)), asyncio.Event()
    port = door.getsockname()[1]
    task = asyncio.create_task(
        https_service(application(MeshConfiguration(), lambda _: None), door, serving.tls)(stopping)
    )
    try:
        yield port
    finally:
        stopping.set()
        await task


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is tested is no matter of the three seconds that a call may take, which a busy machine may, too."""
    monkeypatch.setattr("webhook.calling._TIMEOUT", aiohttp.ClientTimeout(total=60))


@pytest.fixture
def known() -> Known:
    return Known()


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(CollectorRegistry())


def standing_of(known: Known, metrics: Metrics, port: int) -> Standing:
    return Standing(NAME, cast("Index[Registration]", known), port, lambda: True, metrics)


def passed(metrics: Metrics) -> float | None:
    return metrics.registry.get_sample_value("proa_webhook_self_test")


async def test_it_passes_where_the_registration_trusts_the_certificate(
    known: Known, metrics: Metrics, tmp_path: Path
) -> None:
    async with listening(tmp_path) as port:
        standing = standing_of(known, metrics, port)
        assert standing.problem == NOT_TESTED
        for roots in ((ROOT,), (OTHER, ROOT)):
            known.registration = trusted(*roots)
            await standing.test()
            assert standing.problem is None
            assert passed(metrics) == 1


async def test_a_replica_that_has_not_passed_says_at_once_why(known: Known, metrics: Metrics, tmp_path: Path) -> None:
    async with listening(tmp_path) as port:
        standing = standing_of(known, metrics, port)
        for found, reason in (
            (None, "it does not exist"),
            (registered(registration(Revision())), "20 of its 20 entries have no caBundle"),
            (trusted(OTHER), f"its caBundle does not verify the serving certificate for {HOST}: "),
        ):
            known.registration = found
            await standing.test()
            assert standing.problem is not None
            assert reason in standing.problem
            assert passed(metrics) == 0


async def test_a_certificate_for_another_name_does_not_pass(known: Known, metrics: Metrics, tmp_path: Path) -> None:
    async with listening(tmp_path, "proa-webhook.other.svc") as port:
        standing = standing_of(known, metrics, port)
        known.registration = trusted(ROOT)
        await standing.test()
    assert standing.problem is not None
    assert "Hostname mismatch" in standing.problem


async def test_who_has_passed_fails_with_the_third_failure_in_a_row(
    known: Known, metrics: Metrics, tmp_path: Path
) -> None:
    async with listening(tmp_path) as port:
        standing = standing_of(known, metrics, port)
        found = []
        for bundle in (ROOT, OTHER, OTHER, ROOT, OTHER, OTHER, OTHER, ROOT):
            known.registration = trusted(bundle)
            await standing.test()
            found.append(standing.problem is None)
    assert found == [True, True, True, True, True, True, False, True]


async def test_nobody_listening_is_said_with_the_address(known: Known, metrics: Metrics) -> None:
    with socket.create_server(("127.0.0.1", 0)) as door:
        port = door.getsockname()[1]
    standing = standing_of(known, metrics, port)
    known.registration = trusted(ROOT)
    await standing.test()
    assert standing.problem is not None
    assert f"no answer from 127.0.0.1:{port} as {HOST}: " in standing.problem


async def test_a_registration_that_is_taken_away_before_the_service_is_called_ends_nothing(
    known: Known, metrics: Metrics, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webhook.standing._SECONDS", 0.01)
    monkeypatch.setattr("webhook.standing._ROUNDS_A_SERVICE_CALL", 1)
    stopping = asyncio.Event()
    async with listening(tmp_path) as port:
        standing = standing_of(known, metrics, port)
        known.registration = trusted(ROOT)
        await standing.test()
        known.registration = None
        known.synced.set()
        task = asyncio.create_task(standing.service(stopping))
        async with asyncio.timeout(5):
            while standing.problem is None and not task.done():  # noqa: ASYNC110 - there is nothing to be told by
                await asyncio.sleep(0.01)
        stopping.set()
        await task
    assert standing.problem is not None
    assert metrics.registry.get_sample_value("proa_webhook_service_reachable") == 0
