"""An index at a real API server, over a way that is cut, goes silent, and comes back."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from kube.calls import Selection, Selectors
from kube.client import Client, connected
from kube.configuration import LiveConfiguration
from kube.failures import Unreachable
from kube.index import Index
from kube.resources import CONFIG_MAPS, EVENTS, Key
from proa.json import Json
from support.kubectl import Kubectl
from support.reaching import reached
from support.severing import Line, severable

pytestmark = pytest.mark.beside_others

SECONDS = 30.0
OURS = "mesh"


@pytest.fixture
async def line(kubectl: Kubectl) -> AsyncIterator[Line]:
    async with severable(kubectl) as line:
        yield line


@pytest.fixture
async def client(kubectl: Kubectl) -> AsyncIterator[Client]:
    async with connected(kubectl.kubeconfig) as client:
        yield client


def data(config_map: Json) -> Json:
    assert isinstance(config_map, dict)
    return config_map.get("data")


@asynccontextmanager
async def following(kubeconfig: Path, namespace: str) -> AsyncIterator[Index[Json]]:
    stopping = asyncio.Event()
    async with connected(kubeconfig) as client:
        index = Index(client, CONFIG_MAPS, Selection(namespace), data, chance=lambda: 0.0)
        task = asyncio.create_task(index.service(stopping))
        async with asyncio.timeout(SECONDS):
            await index.synced.wait()
        try:
            yield index
        finally:
            stopping.set()
            await task


async def write(client: Client, namespace: str, value: str, name: str = OURS, key: str = "v") -> None:
    metadata: Any = {"name": name, "namespace": namespace}
    item: Any = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {key: value}}
    await client.apply(item, "test")


async def test_what_happens_while_the_way_is_cut_is_known_after(
    client: Client, namespace: Kubectl, line: Line, tmp_path: Path
) -> None:
    own = namespace.namespace
    await write(client, own, "old")
    await write(client, own, "old", "doomed")
    async with following(line.kubeconfig(tmp_path), own) as index:
        assert index.get(own, "doomed") == {"v": "old"}
        await line.cut()
        await reached(lambda: isinstance(index.problem, Unreachable) and "refused" in str(index.problem), SECONDS)
        await client.delete(CONFIG_MAPS, "doomed", own)
        await write(client, own, "new")
        assert index.get(own, OURS) == {"v": "old"}, "what was last known stays"
        await line.mend()
        await reached(lambda: index.get(own, OURS) == {"v": "new"} and index.get(own, "doomed") is None, SECONDS)
        await reached(lambda: index.problem is None, SECONDS)


async def test_a_way_that_died_without_a_word_is_noticed(
    client: Client, namespace: Kubectl, line: Line, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kube.calls.QUIET_SECONDS", 2.0)
    own = namespace.namespace
    await write(client, own, "old")
    async with following(line.kubeconfig(tmp_path), own) as index:
        line.hush()
        await write(client, own, "new")
        await asyncio.sleep(3)
        assert index.get(own, OURS) == {"v": "old"}
        await line.mend()
        await reached(lambda: index.get(own, OURS) == {"v": "new"}, SECONDS)


async def test_a_watch_that_the_api_server_ends_goes_on_and_misses_nothing(
    client: Client, namespace: Kubectl, line: Line, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kube.index.WATCH_SECONDS", 1)
    own, told = namespace.namespace, list[Json]()
    await write(client, own, "0")
    async with following(line.kubeconfig(tmp_path), own) as index:
        index.subscribe(lambda key, value: told.append(value) if key == Key(own, OURS) else None)
        for number in range(1, 16):
            await write(client, own, str(number))
            await asyncio.sleep(0.3)
        await reached(lambda: index.get(own, OURS) == {"v": "15"}, SECONDS)
        assert index.problem is None
    # In order, and each once: nothing was listed again, which would have told only the last.
    assert told == [{"v": str(number)} for number in range(16)]


async def test_a_configuration_that_cannot_be_used_is_told_on_its_config_map(
    client: Client, namespace: Kubectl
) -> None:
    own, registry, stopping = namespace.namespace, CollectorRegistry(), asyncio.Event()
    live = LiveConfiguration(client, OURS, registry, own)
    task = asyncio.create_task(live.service(stopping))
    await write(client, own, "peerTls: strict", key="mesh.yaml")
    await reached(lambda: live.current is not None and live.problem is None, SECONDS)
    good = live.current
    for _ in range(2):
        await write(client, own, "peerTls: strickt", key="mesh.yaml")
        await reached(lambda: live.problem is not None, SECONDS)
        assert live.current == good
        assert registry.get_sample_value("proa_configuration_valid") == 0
        await write(client, own, "peerTls: strict", key="mesh.yaml")
        await reached(lambda: live.problem is None, SECONDS)
    async with asyncio.timeout(SECONDS):
        while (count := await times(client, own)) < 2:  # noqa: ASYNC110 - the API server is asked
            await asyncio.sleep(0.1)
    stopping.set()
    await task
    assert count == 2
    described = namespace("describe", "configmap", OURS)
    assert "ConfigurationInvalid" in described
    assert "peerTls: found 'strickt', allowed: " in described


async def times(client: Client, namespace: str) -> int:
    """How often the one Event says that it happened."""
    found: Any = await client.list(EVENTS, namespace, Selectors(field="reason=ConfigurationInvalid"))
    assert len(found) <= 1
    return int(found[0].get("series", {"count": 1})["count"]) if found else 0
