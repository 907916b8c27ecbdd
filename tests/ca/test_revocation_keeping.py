"""The leader keeps the CRLs while the configuration wants them, in the ConfigMaps too, and takes up what is revoked."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from ca.maps.door import maps_door
from ca.maps.keeping import Joined
from ca.maps.metrics import Metrics as MapsMetrics
from ca.metrics import Metrics
from ca.reports import Reports
from ca.revocation.choice import of_serial
from ca.revocation.crl import crls_of
from ca.revocation.keeping import revocation
from ca.revocation.listing import LiveCrls
from ca.revocation.metrics import Metrics as RevocationMetrics
from ca.revocation.register import MOST_REVOKED, REVOCATION_SECRET, Register, register_of, register_secret
from ca.revocation.revoking import revoke
from ca.revocation.storage import add, store, stored_register
from ca.storage import LiveMaterial
from ca.surroundings import Surroundings
from kube.client import Client
from kube.configuration import LiveConfiguration
from proa.clock import system_clock
from proa.errors import Invalid
from support.ceremonies import issuing
from support.maps import Cluster
from support.reaching import reached

WANTED = '{"authority": {"roots": {"kind": "config-maps", "revocation": "crl"}}}'
SECRET = f"/api/v1/namespaces/proa-system/secrets/{REVOCATION_SECRET}"
SERIAL = "1f" * 20
DAY = timedelta(days=1)


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    server = Cluster()
    await server.start()
    await server.configure(WANTED)
    await server.namespace("shop", **{"proa.dev/inject": "enabled"})
    yield server
    await server.stop()


@asynccontextmanager
async def leading(cluster_client: Client) -> AsyncIterator[Metrics]:
    """A replica that does both duties, as the process joins them."""
    metrics, stopping, crls = Metrics(), asyncio.Event(), LiveCrls()
    configuration, reports = (
        LiveConfiguration(cluster_client, "proa", metrics.registry),
        Reports(cluster_client, system_clock),
    )
    means = issuing(cluster_client, system_clock)
    material = LiveMaterial(cluster_client, configuration, system_clock, metrics, reports, means)
    around = partial(Surroundings, cluster_client, material, configuration, system_clock, reports)
    maps = maps_door(around(MapsMetrics(metrics.registry)), Joined(lambda: None, lambda: crls.pem))
    crls.subscribe(maps.hasten)
    lists = revocation(around(RevocationMetrics(metrics.registry)), crls, means)
    async with asyncio.TaskGroup() as group:
        for part in (configuration.service, material.service, reports.service, maps.keep, lists.keep):
            group.create_task(part(stopping))
        try:
            yield metrics
        finally:
            stopping.set()


def told(cluster: Cluster) -> Any:
    found = cluster.config_map("shop")
    return crls_of(found["data"].get("ca-crl.pem", "")) if found else ()


async def test_a_crl_stands_beside_the_roots_and_lists_what_is_revoked_within_a_moment(
    cluster: Cluster, cluster_client: Client
) -> None:
    async with leading(cluster_client) as metrics:
        await reached(lambda: told(cluster))
        assert sorted(cluster.config_map("shop")["data"]) == ["ca-crl.pem", "root-cert.pem"]
        assert [len(crl) for crl in told(cluster)] == [0]
        await revoke(cluster_client, of_serial(SERIAL, DAY, system_clock()), 10)
        await reached(lambda: [len(crl) for crl in told(cluster)] == [1])
        assert metrics.registry.get_sample_value("proa_ca_revoked_certificates") == 1
        end = metrics.registry.get_sample_value("proa_ca_crl_next_update_timestamp_seconds") or 0
        assert end > system_clock().timestamp() + DAY.total_seconds()
    assert metrics.registry.get_sample_value("proa_ca_crl_next_update_timestamp_seconds") == 0, "not ours to tell now"


async def test_nothing_is_kept_unless_the_configuration_wants_it(cluster: Cluster, cluster_client: Client) -> None:
    await cluster.configure('{"authority": {"roots": {"kind": "config-maps"}}}')
    async with leading(cluster_client):
        await reached(lambda: cluster.config_map("shop"))
        assert sorted(cluster.config_map("shop")["data"]) == ["root-cert.pem"]
        assert not [each for each in cluster.requests if REVOCATION_SECRET in each]
        with pytest.raises(Invalid, match="revocation: crl"):
            await add(cluster_client, of_serial(SERIAL, DAY, system_clock()))
        await cluster.configure(WANTED)
        await reached(lambda: told(cluster))


async def test_a_list_that_somebody_deletes_is_made_again(cluster: Cluster, cluster_client: Client) -> None:
    async with leading(cluster_client):
        await reached(lambda: told(cluster))
        await cluster.remove(SECRET)
        await reached(lambda: SECRET in cluster.paths)


async def test_what_is_revoked_twice_is_listed_once_and_there_is_a_bound(
    cluster_client: Client, cluster: Cluster
) -> None:
    first = of_serial(SERIAL, DAY, system_clock())
    await store(cluster_client, Register(), "")
    await add(cluster_client, first)
    await add(cluster_client, of_serial(SERIAL, DAY, system_clock()))
    assert (await stored_register(cluster_client)).register.revoked == (first,)
    many = tuple(of_serial(f"{number:040x}", DAY, system_clock()) for number in range(1, MOST_REVOKED + 1))
    secret: Any = register_secret(Register(many))
    await cluster.put(SECRET, **secret)
    with pytest.raises(Invalid, match="rotate the root"):
        await add(cluster_client, first)


async def test_where_nobody_leads_it_says_so_and_the_entry_waits(cluster_client: Client) -> None:
    await store(cluster_client, Register(), "")
    with pytest.raises(Invalid, match="no CRL with it"):
        await revoke(cluster_client, of_serial(SERIAL, DAY, system_clock()), 1)
    assert len((await stored_register(cluster_client)).register.revoked) == 1


async def test_no_key_is_in_what_pods_are_told(cluster: Cluster, cluster_client: Client) -> None:
    async with leading(cluster_client):
        await reached(lambda: told(cluster))
    assert "PRIVATE" not in str(cluster.config_map("shop"))
    assert register_of(cluster.found(SECRET)).issuers
