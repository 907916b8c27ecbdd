"""A pod that reads nothing of what the Workload API sends fills its own share of the agent's memory and no more."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from prometheus_client import CollectorRegistry

from node.workload.attestation import Workload
from node.workload.messages import FETCH_X509_BUNDLES, SERVICE
from node.workload.metrics import Metrics
from node.workload.server import Answer, Api
from node.workload.unread import OF_A_POD
from proa.identity import TrustDomain, WorkloadIdentity

LONG = b"x" * (OF_A_POD // 2 + 1)
IDENTITY = WorkloadIdentity(TrustDomain("cluster.local"), "shop", "web")


class Node:
    """Whoever calls is *pod*."""

    pod = "greedy"

    def caller(self, _: str) -> Workload:
        return Workload(self.pod, IDENTITY)

    async def bundle(self, _: Workload) -> Answer:
        return LONG, 60.0


@pytest.fixture
def node() -> Node:
    return Node()


@pytest.fixture
async def dialled(node: Node, tmp_path: Path) -> AsyncIterator[Callable[[], Any]]:
    """Opens a stream of which nothing is read unless somebody does."""
    metrics, never = Metrics(CollectorRegistry()), asyncio.Event()
    server = Api(node.caller, {FETCH_X509_BUNDLES: node.bundle}, {}, lambda: never, metrics).server(f"{tmp_path}/api")
    await server.start()
    async with grpc.aio.insecure_channel(f"unix:{tmp_path}/api", (("grpc.http2.bdp_probe", 0),)) as channel:
        method: Any = channel.unary_stream(f"/{SERVICE}/{FETCH_X509_BUNDLES}")
        yield lambda: method(b"", metadata=(("workload.spiffe.io", "true"),), timeout=60)
    await server.stop(None)


async def test_what_a_pod_leaves_unread_is_bounded_and_no_other_pods_matter(
    node: Node, dialled: Callable[[], Any]
) -> None:
    unread = dialled()
    await unread.initial_metadata()
    for _ in range(3):
        with pytest.raises(grpc.aio.AioRpcError, match="too many messages to read") as refused:
            await dialled().read()
        assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    node.pod = "another"
    assert await dialled().read() == LONG


@pytest.mark.parametrize("ends", [lambda call: call.read(), lambda call: asyncio.sleep(0, call.cancel())])
async def test_what_was_read_or_given_up_counts_no_more(dialled: Callable[[], Any], ends: Callable[[Any], Any]) -> None:
    unread = dialled()
    await unread.initial_metadata()
    await ends(unread)
    async with asyncio.timeout(60):
        while True:
            try:
                assert await dialled().read() == LONG
            except grpc.aio.AioRpcError:
                continue
            break
