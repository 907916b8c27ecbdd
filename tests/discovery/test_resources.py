"""Workloads turned into clusters, endpoints and listeners, and these into files."""

import json
import re
from ipaddress import ip_address
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from discovery.files import subscription_files
from discovery.model import Destination, Transport, Workload
from discovery.resources import Resources, resources
from proa import names
from proa.containers import AccessLog
from proa.errors import Refused
from proa.identity import TrustDomain, WorkloadIdentity
from proxy.subscriptions import CLUSTERS_FILE, LISTENERS_FILE, endpoints_file

MESH = TrustDomain("cluster.local")
WEB = Workload(
    WorkloadIdentity(MESH, "shop", "web"), (ip_address("10.0.0.7"), ip_address("fd00::7")), (8080,), Transport.MTLS
)

addresses = st.ip_addresses().filter(lambda one: not (one.is_unspecified or one.is_loopback or one.is_multicast))
CLAIMS = [
    Workload(WorkloadIdentity(MESH, namespace, "web"), WEB.addresses, (port, 443), transport)
    for namespace in ("shop", "bank")
    for port in (80, 8080)
    for transport in Transport
]
workloads = st.builds(
    Workload,
    st.builds(
        WorkloadIdentity, st.just(MESH), st.sampled_from(["shop", "bank"]), st.sampled_from(["web", "db", "cache"])
    ),
    st.lists(addresses, max_size=2, unique=True).map(tuple),
    st.lists(st.integers(1, 65535), max_size=3, unique=True).map(tuple),
    st.sampled_from(Transport),
)
meshes = st.lists(workloads | st.sampled_from(CLAIMS), max_size=4)


def made(*found: Workload) -> Resources:
    return resources(found, AccessLog.OFF)


def test_a_workload_has_a_destination_for_each_address_and_declared_port() -> None:
    assert [cluster["name"] for cluster in made(WEB).clusters] == [
        "outbound|8080||10-0-0-7.shop.pod.cluster.local",
        "outbound|8080||fd00--7.shop.pod.cluster.local",
    ]
    assert [listener["address"] for listener in made(WEB).listeners] == [
        {"socket_address": {"address": "10.0.0.7", "port_value": 8080}},
        {"socket_address": {"address": "fd00::7", "port_value": 8080}},
    ]


def test_a_workload_without_declared_ports_is_no_destination() -> None:
    silent = Workload(WEB.identity, WEB.addresses, (), Transport.MTLS)
    assert made(silent) == Resources((), {}, ())


@pytest.mark.parametrize("port", [0, 65536, -1])
def test_a_port_that_is_none_is_refused(port: int) -> None:
    with pytest.raises(Refused, match="1 to 65535"):
        Workload(WEB.identity, WEB.addresses, (port,), Transport.MTLS)


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "127.0.0.1", "::1", "224.0.0.1", "ff02::1", "fe80::1%eth0"])  # noqa: S104
def test_an_address_that_is_no_pods_is_refused(address: str) -> None:
    with pytest.raises(Refused, match="an address that one pod has"):
        Workload(WEB.identity, (ip_address(address),), (80,), Transport.MTLS)


def test_everything_wrong_with_a_workload_is_told_at_once() -> None:
    with pytest.raises(Refused) as refused:
        Workload(WEB.identity, (ip_address("::"), ip_address("127.0.0.1")), (0, 80, 65536), Transport.MTLS)
    assert [(each.field, each.found) for each in refused.value.problems] == [
        ("port", "0"),
        ("port", "65536"),
        ("address", "::"),
        ("address", "127.0.0.1"),
    ]
    assert "spiffe://cluster.local/ns/shop/sa/web" in refused.value.subject


def test_the_client_expects_the_exact_identity_of_the_destination() -> None:
    text = json.dumps(made(WEB).clusters[0])
    assert '{"exact": "spiffe://cluster.local/ns/shop/sa/web"}' in text


def test_only_an_endpoint_behind_a_sidecar_is_marked_for_mtls() -> None:
    plain = Workload(WEB.identity, WEB.addresses, WEB.ports, Transport.PLAINTEXT)
    assert all("tlsMode" in json.dumps(one) for one in made(WEB).endpoints.values())
    assert not any("tlsMode" in json.dumps(one) for one in made(plain).endpoints.values())


@given(meshes, st.randoms())
def test_the_order_of_workloads_changes_nothing(found: list[Workload], random: Random) -> None:
    shuffled = found.copy()
    random.shuffle(shuffled)
    assert subscription_files(made(*found)) == subscription_files(made(*shuffled))


@given(meshes)
def test_each_address_and_port_is_listened_to_once(found: list[Workload]) -> None:
    listened = [json.dumps(listener["address"]) for listener in made(*found).listeners]
    assert len(set(listened)) == len(listened)
    assert len(listened) == len({(host, port) for one in found for host in one.addresses for port in one.ports})


@given(st.permutations([Transport.MTLS, Transport.PLAINTEXT]), st.permutations(["web", "db"]))
def test_of_two_that_claim_an_address_the_one_behind_a_sidecar_has_it(
    transports: list[Transport], accounts: list[str]
) -> None:
    """It may have been plaintext's before: a connection that fails is better than one to somebody else."""
    claims = [
        Workload(WorkloadIdentity(MESH, "shop", account), WEB.addresses, WEB.ports, transport)
        for account, transport in zip(accounts, transports, strict=True)
    ]
    winner = accounts[transports.index(Transport.MTLS)]
    assert f"spiffe://cluster.local/ns/shop/sa/{winner}" in json.dumps(made(*claims).clusters[0])
    assert all("tlsMode" in json.dumps(one) for one in made(*claims).endpoints.values())


@given(meshes)
def test_everything_that_is_named_exists(found: list[Workload]) -> None:
    all_of_them = made(*found)
    clusters = {str(cluster["name"]) for cluster in all_of_them.clusters}
    assert {str(listener["name"]) for listener in all_of_them.listeners} == clusters
    assert set(all_of_them.endpoints) == clusters
    files = subscription_files(all_of_them)
    for name in clusters:
        assert (
            f"{names.DISCOVERY_DIRECTORY}/{names.VOLUME_DATA}/{endpoints_file(name)}" in files[CLUSTERS_FILE].decode()
        )
        assert endpoints_file(name) in files


@given(meshes)
def test_every_file_is_a_discovery_response_under_a_name_that_a_configmap_takes(found: list[Workload]) -> None:
    for name, content in subscription_files(made(*found)).items():
        assert re.fullmatch(r"[-._a-zA-Z0-9]{1,253}", name)
        response = json.loads(content)
        assert re.fullmatch(r"[0-9a-f]{16}", response["version_info"])
        assert all(one["@type"].startswith("type.googleapis.com/envoy.config.") for one in response["resources"])


def test_the_version_follows_the_content() -> None:
    moved = Workload(WEB.identity, (ip_address("10.0.0.8"),), WEB.ports, Transport.MTLS)
    one, same, other = (json.loads(subscription_files(made(each))[LISTENERS_FILE]) for each in (WEB, WEB, moved))
    assert one["version_info"] == same["version_info"] != other["version_info"]


def test_a_cluster_is_named_by_the_pods_dns_name() -> None:
    assert Destination(ip_address("10.1.2.3"), 80, "bank").cluster == "outbound|80||10-1-2-3.bank.pod.cluster.local"
