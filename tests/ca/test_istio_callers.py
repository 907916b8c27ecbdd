"""Tokens at the door for Istio's clients: whose they are, how often the API server is asked, who is put off."""

import asyncio
from typing import Any

import grpc
import pytest

from ca.istio.limits import Rate
from ca.istio.quota import Rates
from kube.client import Client
from support.door import until
from support.istio import (
    Cluster,
    Running,
    leaf_of,
    open_door,
    opened,
    pem_request,
    uris,
)

IDENTITY = "spiffe://cluster.local/ns/shop/sa/web"


@pytest.mark.parametrize(
    ("wrong", "reason", "asked"),
    [
        ({"audience": "kubernetes"}, "OtherAudience", False),
        ({"hours": -1}, "TokenExpired", False),
        ({"unbound": True}, "TokenNotBound", False),
        ({"silent": True}, "TokenNotBound", True),
        ({"node": "node-2"}, "NodeMismatch", True),
        ({"account": "admin"}, "ServiceAccountMismatch", True),
    ],
)
async def test_a_token_that_is_not_a_running_pods_own_gets_nothing(
    cluster: Cluster, running: Running, wrong: dict[str, Any], reason: str, asked: bool
) -> None:
    async with running.agent() as agent:
        error = await agent.refused(pem_request(), cluster.token("web-1", **wrong))
    assert error.code() is grpc.StatusCode.UNAUTHENTICATED
    assert reason not in error.details(), "who is not known is not told why"
    assert running.count("UNAUTHENTICATED", reason) == 1
    assert bool(cluster.reviewed) is asked


@pytest.mark.parametrize(
    "token", [None, "", "x", "a.b.c", "e30.e30.e30", "ä.ö.ü", "x" * 17_000, "a." + "W" * 9000 + ".c"]
)
async def test_what_is_no_token_is_refused_without_asking_the_api_server(
    cluster: Cluster, running: Running, token: str | None
) -> None:
    shown = token.encode().decode("latin-1") if token and token.isascii() else token and "%C3"
    async with running.agent() as agent:
        error = await agent.refused(pem_request(), shown)
    assert error.code() is grpc.StatusCode.UNAUTHENTICATED
    assert cluster.reviewed == []


async def test_a_forged_token_is_reviewed_once_and_then_remembered(cluster: Cluster, running: Running) -> None:
    head, claims, _ = cluster.token("web-1").split(".")
    async with running.agent() as agent:
        for _ in range(3):
            error = await agent.refused(pem_request(), f"{head}.{claims}.forged")
            assert error.code() is grpc.StatusCode.UNAUTHENTICATED
    assert len(cluster.reviewed) == 1


async def test_a_token_is_reviewed_once_for_all_who_show_it_at_a_time(cluster: Cluster, running: Running) -> None:
    token = cluster.token("web-1")
    cluster.reviewing.clear()
    async with running.agent() as agent:
        asking = [asyncio.create_task(agent.asked(pem_request(), token)) for _ in range(8)]
        await until(lambda: cluster.reviewed)
        cluster.reviewing.set()
        assert len({leaf_of(chain).serial_number for chain in await asyncio.gather(*asking)}) == 8
    assert cluster.reviewed == [token]


async def test_who_gives_up_does_not_end_the_review_of_others(cluster: Cluster, running: Running) -> None:
    token = cluster.token("web-1")
    cluster.reviewing.clear()
    async with running.agent() as agent:
        first = asyncio.create_task(agent.asked(pem_request(), token))
        await until(lambda: cluster.reviewed)
        second = asyncio.create_task(agent.asked(pem_request(), token))
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        cluster.reviewing.set()
        assert uris(leaf_of(await second)) == [IDENTITY]
    assert cluster.reviewed == [token]


@pytest.mark.parametrize("status", [403, 429, 500, 503])
async def test_while_the_api_server_does_not_answer_a_caller_is_told_to_come_again(
    cluster: Cluster, running: Running, status: int
) -> None:
    token = cluster.token("web-1")
    cluster.failing = status
    async with running.agent() as agent:
        assert (await agent.refused(pem_request(), token)).code() is grpc.StatusCode.UNAVAILABLE
        cluster.failing = None
        assert await agent.asked(pem_request(), token)


async def test_a_pod_that_is_gone_gets_nothing_though_its_token_was_reviewed(
    cluster: Cluster, running: Running
) -> None:
    token = cluster.token("web-1")
    async with running.agent() as agent:
        assert await agent.asked(pem_request(), token)
        await cluster.remove("/api/v1/namespaces/shop/pods/web-1")
        await agent.until(grpc.StatusCode.UNAVAILABLE, token)
    assert running.count("UNAVAILABLE", "PodNotKnown") == 1
    assert len(cluster.reviewed) == 1


async def test_a_pod_that_asks_too_often_is_put_off_and_told_for_how_long(
    cluster: Cluster, cluster_client: Client
) -> None:
    async with open_door(cluster_client, Rates(pod=Rate(2, 3600.0))) as running:
        await opened(running)
        await cluster.pod("web-2")
        token = cluster.token("web-1")
        async with running.agent() as agent:
            for _ in range(2):
                assert await agent.asked(pem_request(), token)
            error = await agent.refused(pem_request(), token)
            assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
            assert int(dict(error.trailing_metadata())["grpc-retry-pushback-ms"]) > 3_000_000
            another = await agent.asked(pem_request(), cluster.token("web-2"))
            assert uris(leaf_of(another)) == [IDENTITY]
