"""The roots are published whatever was known first, put back when they are changed, and by the leader alone."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from ca.creation import create
from ca.metrics import Metrics
from ca.publication import Publication
from ca.reports import Reports
from ca.storage import LiveMaterial
from ca.trust import TRUST_BUNDLE_NAME
from kube.client import Client
from kube.configuration import LiveConfiguration
from kube.failures import NotFound
from kube.resources import CLUSTER_TRUST_BUNDLES
from proa.clock import system_clock
from proa.identity import TrustDomain
from support.api_server import ApiServer
from support.ceremonies import issuing
from support.reaching import reached

BUNDLE = f"/apis/certificates.k8s.io/v1/clustertrustbundles/{TRUST_BUNDLE_NAME}"


class Replica:
    def __init__(self, client: Client) -> None:
        metrics, reports = Metrics(), Reports(client, system_clock)
        self.configuration = LiveConfiguration(client, "proa", metrics.registry)
        self.material = LiveMaterial(
            client, self.configuration, system_clock, metrics, reports, issuing(client, system_clock)
        )
        self.publication = Publication(client, self.material, reports)


@asynccontextmanager
async def running(client: Client) -> AsyncIterator[Replica]:
    replica, stopping = Replica(client), asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for part in (replica.configuration.service, replica.material.service, replica.publication.watch):
            group.create_task(part(stopping))
        try:
            yield replica
        finally:
            stopping.set()


@asynccontextmanager
async def leading(replica: Replica) -> AsyncIterator[None]:
    stopping = asyncio.Event()
    task = asyncio.create_task(replica.publication.publish(stopping))
    try:
        yield
    finally:
        stopping.set()
        async with asyncio.timeout(20):
            await task


async def published(client: Client) -> str:
    try:
        bundle: Any = await client.get(CLUSTER_TRUST_BUNDLES, TRUST_BUNDLE_NAME)
    except NotFound:
        return ""
    return str(bundle["spec"]["trustBundle"])


def applied(server: ApiServer) -> int:
    return sum(request.startswith(f"PATCH {BUNDLE}") for request in server.requests)


async def test_roots_known_before_it_is_known_that_none_are_published_are_published_all_the_same(
    client: Client, api_server: ApiServer
) -> None:
    await create(client, TrustDomain("cluster.local"), system_clock)
    api_server.withholding = "clustertrustbundles"
    async with running(client) as replica:
        await reached(lambda: replica.material.current)
        async with leading(replica):
            asked = len(api_server.requests)
            await reached(lambda: any("clustertrustbundles" in each for each in api_server.requests[asked:]))
            api_server.withholding = "nothing"
            await reached(lambda: applied(api_server))
        assert replica.material.authority
        assert await published(client) == replica.material.authority.trust_bundle


async def test_roots_that_somebody_changes_or_deletes_are_put_back(client: Client, api_server: ApiServer) -> None:
    async with running(client) as replica, leading(replica):
        await reached(lambda: applied(api_server) == 1)
        await api_server.put(BUNDLE, spec={"trustBundle": "of somebody else"})
        await reached(lambda: applied(api_server) == 2)
        await api_server.remove(BUNDLE)
        await reached(lambda: applied(api_server) == 3)
        assert replica.material.authority
        assert await published(client) == replica.material.authority.trust_bundle


async def test_who_does_not_lead_publishes_nothing_until_it_does(client: Client, api_server: ApiServer) -> None:
    async with running(client) as replica:
        await reached(lambda: replica.material.current)
        assert applied(api_server) == 0
        async with leading(replica):
            await reached(lambda: applied(api_server) == 1)


async def test_an_api_server_that_serves_v1beta1_alone_is_given_the_bundle_in_it_and_one_that_serves_none_later(
    client: Client, api_server: ApiServer
) -> None:
    api_server.versions["clustertrustbundles"] = ()
    await create(client, TrustDomain("cluster.local"), system_clock)
    async with running(client) as replica, leading(replica):
        await reached(lambda: replica.material.current)
        assert not api_server.found(BUNDLE)
        assert await published(client) == ""
        assert not await client.supports(CLUSTER_TRUST_BUNDLES)
        api_server.versions["clustertrustbundles"] = ("v1beta1",)
        await reached(lambda: api_server.found(BUNDLE))
        assert "BEGIN CERTIFICATE" in await published(client)
        assert await client.supports(CLUSTER_TRUST_BUNDLES)
    assert api_server.found(BUNDLE)["apiVersion"] == "certificates.k8s.io/v1beta1"
