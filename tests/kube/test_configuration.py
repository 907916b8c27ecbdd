"""The mesh configuration of a running process, while an admin edits its ConfigMap."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from prometheus_client import CollectorRegistry

from kube.client import Client
from kube.configuration import LiveConfiguration
from kube.failures import Unreachable
from proa.errors import Invalid
from proa.mesh import MeshConfiguration, PeerTls, mesh_configuration
from support.api_server import ApiServer
from support.reaching import reached

MAP = "/api/v1/namespaces/proa-system/configmaps/proa"
STRICT = MeshConfiguration(peer_tls=PeerTls.STRICT)


def particular(document: str) -> MeshConfiguration:
    """A process may want more of a configuration than that its fields are right."""
    found = mesh_configuration(document)
    if found.trust_domain == "unwanted":
        raise Invalid("trustDomain", "unwanted", "another")
    return found


class Running:
    def __init__(self, client: Client) -> None:
        self.registry, self.stopping = CollectorRegistry(), asyncio.Event()
        self.live = LiveConfiguration(client, "proa", self.registry, reading=particular)
        self.told: list[MeshConfiguration] = []
        self.live.subscribe(self.told.append)
        self.task = asyncio.create_task(self.live.service(self.stopping))

    @property
    def valid(self) -> float | None:
        return self.registry.get_sample_value("proa_configuration_valid")


@pytest.fixture
async def running(client: Client) -> AsyncIterator[Running]:
    started = Running(client)
    yield started
    started.stopping.set()
    async with asyncio.timeout(10):
        await started.task


def posted(server: ApiServer) -> list[str]:
    return [request for request in server.requests if not request.startswith("GET")]


async def test_a_change_comes_into_force_and_is_told(running: Running, api_server: ApiServer) -> None:
    await api_server.put(MAP, data={"mesh.yaml": ""})
    await reached(lambda: running.live.current == MeshConfiguration())
    await api_server.put(MAP, data={"mesh.yaml": "peerTls: strict"})
    await reached(lambda: running.live.current == STRICT)
    await api_server.put(MAP, data={"mesh.yaml": "peerTls: strict # and why"})
    await api_server.put(MAP, data={"mesh.yaml": "{}"})
    await reached(lambda: running.live.current == MeshConfiguration())
    assert running.told == [MeshConfiguration(), STRICT, MeshConfiguration()]
    assert running.valid == 1
    assert posted(api_server) == []


async def test_what_cannot_be_used_leaves_the_last_good_one_and_says_so_in_an_event_and_a_metric(
    running: Running, api_server: ApiServer
) -> None:
    await api_server.put(MAP, data={"mesh.yaml": "peerTls: strict"})
    await reached(lambda: running.live.current == STRICT)
    await api_server.put(MAP, data={"mesh.yaml": "peerTls: strickt"})
    await reached(lambda: posted(api_server))
    assert running.live.current == STRICT
    assert running.valid == 0
    assert "peerTls: found 'strickt'" in str(running.live.problem)
    assert posted(api_server) == ["POST /apis/events.k8s.io/v1/namespaces/proa-system/events"]
    # The same mistake again is counted on the same Event.
    await api_server.put(MAP, data={"mesh.yaml": "peerTls: strict"})
    await reached(lambda: running.valid == 1)
    await api_server.put(MAP, data={"mesh.yaml": "peerTls: strickt"})
    await reached(lambda: len(posted(api_server)) == 3)
    assert posted(api_server)[2].startswith("PATCH /apis/events.k8s.io/v1/namespaces/proa-system/events/proa.")


async def test_what_the_process_itself_cannot_use_leaves_the_last_good_one(
    running: Running, api_server: ApiServer
) -> None:
    await api_server.put(MAP, data={"mesh.yaml": "peerTls: strict"})
    await reached(lambda: running.live.current == STRICT)
    await api_server.put(MAP, data={"mesh.yaml": "trustDomain: unwanted"})
    await reached(lambda: running.valid == 0)
    assert running.live.current == STRICT
    assert str(running.live.problem).startswith("trustDomain: found unwanted")


async def test_a_config_map_that_is_not_there_is_named_and_one_that_is_deleted_stays_in_force(
    running: Running, api_server: ApiServer
) -> None:
    await reached(lambda: running.live.problem)
    assert "the ConfigMap proa-system/proa: found nothing" in str(running.live.problem)
    assert running.live.current is None
    assert running.valid == 0
    await api_server.put(MAP, data={"mesh.yaml": "peerTls: strict"})
    await reached(lambda: running.live.current == STRICT and running.live.problem is None)
    await api_server.remove(MAP)
    await reached(lambda: running.live.problem)
    assert running.live.current == STRICT


async def test_before_anything_is_known_the_problem_is_that_of_the_api_server(
    client: Client, api_server: ApiServer
) -> None:
    await api_server.stop()
    early = Running(client)
    assert early.valid == 0
    await reached(lambda: isinstance(early.live.problem, Unreachable))
    await api_server.start()
    await reached(early.live.synced.is_set)
    early.stopping.set()
    await early.task
