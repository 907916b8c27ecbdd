"""The roots stand in a ConfigMap of each namespace that opted in, and of no other; nobody else's is touched."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from structlog.testing import capture_logs

from ca.anchors import anchor
from ca.authority import new_root
from ca.certificates import pem
from ca.material import Material
from ca.standing import configured, standing
from ca.stored import material_secret, stored_material
from ca.svid_bundle import spiffe_bundle
from kube.client import Client
from proa.clock import system_clock
from proa.identity import TrustDomain
from proa.mesh import mesh_configuration
from support.maps import KEPT, Cluster, keeping
from support.reaching import reached

ISSUER = "/api/v1/namespaces/proa-system/secrets/proa-ca"


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    server = Cluster()
    await server.start()
    await server.configure(KEPT)
    await server.namespace("shop", **{"proa.dev/inject": "enabled"})
    await server.namespace("bare")
    yield server
    await server.stop()


async def second_root(cluster: Cluster) -> Any:
    """Into the authority's material, beside the one that issues."""
    material = stored_material(cluster.issuer)
    second = new_root(TrustDomain("cluster.local"), system_clock()).issuing.certificate
    written: Any = material_secret(Material(material.issuer, (*material.roots, second)))
    await cluster.put(ISSUER, **written)
    return second


async def test_namespaces_that_opted_in_have_the_roots_and_those_that_opt_out_have_them_no_more(
    cluster: Cluster, cluster_client: Client
) -> None:
    async with keeping(cluster_client, system_clock) as replica:
        await reached(lambda: cluster.config_map("shop"))
        assert cluster.config_map("shop")["data"] == {"root-cert.pem": replica.roots}
        await cluster.namespace("late", **{"proa.dev/roots-map": "enabled"})
        await reached(lambda: cluster.config_map("late"))
        await cluster.namespace("late")
        await reached(lambda: cluster.config_map("late") is None)
    assert cluster.config_map("bare") is None
    assert cluster.config_map("proa-system") is None


async def test_a_federated_mesh_is_told_a_bundle_for_each_trust_domain_and_follows_the_configuration(
    cluster: Cluster, cluster_client: Client
) -> None:
    domain = TrustDomain("other.example")
    other = new_root(domain, system_clock()).issuing.certificate
    theirs = spiffe_bundle((anchor(other, domain),))

    def federated(**foreign: str) -> str:
        federation = {"kind": "bundles", "trustDomains": foreign}
        return json.dumps({**json.loads(KEPT), "trustDomainAliases": ["former"], "federation": federation})

    def told() -> Any:
        data = (cluster.config_map("shop") or {"data": {}})["data"]
        return json.loads(data.get("trust-bundles.json", "{}")).get("trust_domains", {})

    await cluster.configure(federated())
    async with keeping(cluster_client, system_clock):
        await reached(lambda: set(told()) == {"cluster.local", "former"})
        ours = stored_material(cluster.issuer).root
        assert told()["cluster.local"] == told()["former"] == spiffe_bundle((ours,))
        await cluster.configure(federated(**{"other.example": pem(other)}))
        await reached(lambda: told().get("other.example") == theirs)
        second = await second_root(cluster)
        await reached(lambda: told()["former"] == spiffe_bundle((ours, second)))
        assert told()["other.example"] == theirs


async def test_in_istios_vocabulary_it_is_called_as_istio_calls_it(cluster: Cluster, cluster_client: Client) -> None:
    await cluster.configure(KEPT[:-1] + ', "vocabulary": "istio"}')
    await cluster.namespace("old", **{"istio-injection": "enabled"})
    async with keeping(cluster_client, system_clock) as replica:
        await reached(lambda: cluster.config_map("old", "istio-ca-root-cert"))
        assert cluster.config_map("old", "istio-ca-root-cert")["data"] == {"root-cert.pem": replica.roots}


async def test_a_map_that_somebody_changes_or_deletes_is_put_back(cluster: Cluster, cluster_client: Client) -> None:
    async with keeping(cluster_client, system_clock) as replica:
        await reached(lambda: cluster.config_map("shop"))
        path, ours = "/api/v1/namespaces/shop/configmaps/proa-roots", cluster.config_map("shop")
        await cluster.put(path, **{**ours, "data": {"root-cert.pem": "of somebody else"}})
        await reached(lambda: cluster.config_map("shop")["data"] == {"root-cert.pem": replica.roots})
        await cluster.remove(path)
        await reached(lambda: cluster.config_map("shop"))


async def test_somebody_elses_map_by_that_name_is_left_alone_and_told_and_outlives_an_opt_out(
    cluster: Cluster, cluster_client: Client
) -> None:
    await cluster.put("/api/v1/namespaces/shop/configmaps/proa-roots", data={"root-cert.pem": "theirs"})
    with capture_logs() as logs:
        async with keeping(cluster_client, system_clock) as replica:
            await reached(lambda: replica.sample("failing_namespaces") == 1)
            await cluster.namespace("shop")
            await reached(lambda: replica.sample("failing_namespaces") == 0)
    assert cluster.config_map("shop")["data"] == {"root-cert.pem": "theirs"}
    assert any("somebody else's" in each.get("message", "") for each in logs)


async def test_where_it_may_not_write_it_says_so_and_tells_the_others(cluster: Cluster, cluster_client: Client) -> None:
    cluster.forbidden = {"shop"}
    await cluster.namespace("open", **{"proa.dev/roots-map": "enabled"})
    async with keeping(cluster_client, system_clock) as replica:
        await reached(lambda: cluster.config_map("open"))
        await reached(lambda: replica.sample("failing_namespaces") == 1)
        assert replica.propagated == []
        cluster.forbidden = set()
        await cluster.namespace("another", **{"proa.dev/roots-map": "enabled"})
        await reached(lambda: cluster.config_map("shop") and replica.propagated)


async def test_a_root_counts_as_published_once_every_namespace_is_told(
    cluster: Cluster, cluster_client: Client
) -> None:
    mesh = mesh_configuration(KEPT)
    async with keeping(cluster_client, system_clock) as replica:
        await reached(lambda: cluster.config_map("shop"))
        bundle = "/apis/certificates.k8s.io/v1/clustertrustbundles/proa.dev:workload:v1"
        cluster.forbidden = {"shop"}
        second = await second_root(cluster)
        await reached(lambda: "BEGIN" in replica.roots and replica.roots.count("BEGIN") == 2)
        await cluster.put(bundle, spec={"trustBundle": replica.roots})
        await reached(lambda: replica.sample("failing_namespaces") == 1)
        assert second not in (await standing(cluster_client, mesh)).found.published
        assert second in (await standing(cluster_client, mesh_configuration("{}"))).found.published
        cluster.forbidden = set()
        await cluster.namespace("another", **{"proa.dev/roots-map": "enabled"})
        await reached(lambda: replica.propagated[1:])
        assert second in (await standing(cluster_client, mesh)).found.published


async def test_nothing_is_kept_unless_the_configuration_wants_it(cluster: Cluster, cluster_client: Client) -> None:
    await cluster.configure("{}")
    async with keeping(cluster_client, system_clock) as replica:
        await reached(lambda: replica.material.authority)
        assert not [each for each in cluster.requests if each.startswith("GET /api/v1/namespaces?")]
        await cluster.configure(KEPT)
        await reached(lambda: cluster.config_map("shop"))


async def test_who_does_not_follow_the_configuration_reads_it_and_does_without_one_that_cannot_be_used(
    cluster: Cluster, cluster_client: Client
) -> None:
    assert await configured(cluster_client) == mesh_configuration(KEPT)
    await cluster.configure("nonsense: true")
    assert await configured(cluster_client) == mesh_configuration("{}")
    await cluster.remove("/api/v1/namespaces/proa-system/configmaps/proa")
    assert await configured(cluster_client) == mesh_configuration("{}")
