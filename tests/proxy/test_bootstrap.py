"""What a sidecar is told: the reviewed files, for every configuration what Envoy takes, and no secret in any."""

import json
import os
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa import names
from proa.capture.choices import DnsTo, Tproxied
from proa.capture.interception import Interception
from proa.containers import AccessLog, LogLevel, Proxy
from proa.errors import Invalid
from proa.mesh import Certificate, Discovery, FileDiscovery, IpFamily, MeshConfiguration, NoDiscovery, PeerTls
from proxy.bootstrap import bootstrap, pod_files
from proxy.message import response

GOLDEN = Path(__file__).parent / "golden"
UPDATE = "PROA_UPDATE_GOLDEN"
GOLDENS = {
    "default": (MeshConfiguration(), Interception()),
    "strict": (
        MeshConfiguration(peer_tls=PeerTls.STRICT, ip_family=IpFamily.IPV4, discovery=FileDiscovery()),
        Interception(),
    ),
    "annotated": (
        MeshConfiguration(),
        Interception(inbound_mode=Tproxied(7, 77), dns=DnsTo(("10.96.0.10", "fd96::a"))),
    ),
}
DISCOVERIES: tuple[Discovery, ...] = (NoDiscovery(), FileDiscovery(config_map="mesh"))
EVERY_SHAPE = [
    MeshConfiguration(peer_tls=tls, ip_family=family, proxy=Proxy(access_log=log), discovery=discovery)
    for tls, family, log, discovery in product(PeerTls, IpFamily, AccessLog, DISCOVERIES)
]
trust_domains = st.from_regex(r"[a-z0-9._-]{1,255}", fullmatch=True)


def shape(configuration: MeshConfiguration) -> str:
    discovery = type(configuration.discovery).__name__
    return f"{configuration.peer_tls} {configuration.ip_family} {configuration.proxy.access_log} {discovery}"


def below(value: Any) -> Iterator[Any]:
    """*value* and every value inside it."""
    yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from below(inner)


def named(messages: Any) -> dict[str, Any]:
    return {message["name"]: message for message in messages}


def listeners(configuration: MeshConfiguration) -> dict[str, Any]:
    return named(json.loads(json.dumps(bootstrap(configuration)))["static_resources"]["listeners"])


@pytest.mark.parametrize("name", GOLDENS)
def test_the_files_are_the_reviewed_ones(name: str) -> None:
    """With PROA_UPDATE_GOLDEN=1 they are written anew first: read the difference then."""
    for file in pod_files(*GOLDENS[name]):
        path = GOLDEN / f"{name}.{file.name}"
        if UPDATE in os.environ:
            path.write_text(json.dumps(file.content, indent=2) + "\n", encoding="utf-8")
        assert file.content == json.loads(path.read_text(encoding="utf-8"))


def test_every_golden_file_is_one_of_a_configuration() -> None:
    expected = {f"{name}.{file.name}" for name, made in GOLDENS.items() for file in pod_files(*made)}
    assert {path.name for path in GOLDEN.iterdir()} == expected


def test_envoy_accepts_every_shape_of_configuration(
    tmp_path: Path,
    envoy: Path,
    bootstrap_written: Callable[[MeshConfiguration, Path], Path],
    accepted: Callable[..., str],
) -> None:
    files = {shape(made): bootstrap_written(made, tmp_path / str(number)) for number, made in enumerate(EVERY_SHAPE)}
    assert len(files) == len(EVERY_SHAPE) == 16
    with ThreadPoolExecutor(2) as pool:
        complaints = dict(zip(files, pool.map(lambda file: accepted(envoy, file), files.values()), strict=True))
    assert {what: complaint for what, complaint in complaints.items() if complaint} == {}


@pytest.mark.parametrize("domain", ["a", "_-.", "d" * 255])
def test_envoy_accepts_every_trust_domain(
    domain: str,
    tmp_path: Path,
    envoy: Path,
    bootstrap_written: Callable[[MeshConfiguration, Path], Path],
    accepted: Callable[..., str],
) -> None:
    assert accepted(envoy, bootstrap_written(MeshConfiguration(trust_domain=domain), tmp_path)) == ""


def test_envoy_does_refuse_what_it_does_not_know(
    tmp_path: Path,
    envoy: Path,
    bootstrap_written: Callable[[MeshConfiguration, Path], Path],
    accepted: Callable[..., str],
) -> None:
    """That the tests above can fail."""
    file = bootstrap_written(MeshConfiguration(), tmp_path)
    file.write_text(file.read_text(encoding="utf-8").replace("use_original_dst", "use_original_destination"))
    assert "use_original_destination" in accepted(envoy, file)


@given(
    st.builds(
        MeshConfiguration,
        trust_domain=trust_domains,
        peer_tls=st.sampled_from(PeerTls),
        ip_family=st.sampled_from(IpFamily),
        proxy=st.builds(Proxy, concurrency=st.integers(1, 256), log_level=st.sampled_from(LogLevel)),
        certificate=st.builds(Certificate, lifetime_seconds=st.integers(3600, 7862400)),
        discovery=st.sampled_from(DISCOVERIES),
    )
)
def test_the_files_depend_on_the_configuration_alone_and_fit_in_annotations(made: MeshConfiguration) -> None:
    texts = [msgspec.json.encode(file.content) for file in pod_files(made)]
    again = msgspec.json.decode(msgspec.json.encode(made), type=MeshConfiguration)
    assert texts == [msgspec.json.encode(file.content) for file in pod_files(again)]
    assert sum(map(len, texts)) < 32 * 1024
    prefixes = [value["prefix"] for value in below(bootstrap(made)) if isinstance(value, dict) and "prefix" in value]
    assert prefixes == [f"spiffe://{made.trust_domain}/"]


@pytest.mark.parametrize("made", EVERY_SHAPE, ids=shape)
def test_clusters_that_a_filter_names_exist(made: MeshConfiguration) -> None:
    clusters = named(bootstrap(made)["static_resources"]["clusters"])  # type: ignore[call-overload,index]
    used = {value["cluster"] for value in below(bootstrap(made)) if isinstance(value, dict) and "cluster" in value}
    assert used == set(clusters)


@pytest.mark.parametrize("made", EVERY_SHAPE, ids=shape)
def test_only_strict_sidecars_have_no_way_in_for_plaintext(made: MeshConfiguration) -> None:
    inbound = listeners(made)["inbound"]
    into_the_pod = [
        chain
        for chain in [*inbound["filter_chains"], inbound.get("default_filter_chain")]
        if chain and chain["filters"][0]["typed_config"]["cluster"] != "BlackHoleCluster"
    ]
    plaintext = [chain["name"] for chain in into_the_pod if "transport_socket" not in chain]
    assert plaintext == ([] if made.peer_tls is PeerTls.STRICT else ["inbound-plaintext"])


@pytest.mark.parametrize("made", EVERY_SHAPE, ids=shape)
def test_every_tls_context_demands_the_peers_certificate_and_tls_1_3(made: MeshConfiguration) -> None:
    contexts = [value for value in below(bootstrap(made)) if isinstance(value, dict) and "common_tls_context" in value]
    assert len(contexts) == 1
    for context in contexts:
        common = context["common_tls_context"]
        assert context["require_client_certificate"] is True
        assert set(common["tls_params"].values()) == {"TLSv1_3"}
        assert common["alpn_protocols"] == [names.MESH_ALPN]
        assert common["combined_validation_context"]["default_validation_context"]["match_typed_subject_alt_names"]


@pytest.mark.parametrize("made", EVERY_SHAPE, ids=shape)
def test_admin_listens_on_loopback_and_everything_else_by_the_nodes_families(made: MeshConfiguration) -> None:
    admin = bootstrap(made)["admin"]["address"]["socket_address"]  # type: ignore[call-overload,index]
    assert admin == {"address": "127.0.0.1", "port_value": names.ADMIN_PORT}
    addresses = [listener["address"]["socket_address"] for listener in listeners(made).values()]
    assert [address["port_value"] for address in addresses] == [15001, 15006, 15021, 15090]
    family = {"::"} if made.ip_family is IpFamily.DUAL_STACK else {"0.0.0.0"}  # noqa: S104 - compared, not bound
    assert {address["address"] for address in addresses} == family
    if made.ip_family is IpFamily.IPV4:
        assert "::" not in json.dumps(bootstrap(made))


@pytest.mark.parametrize("made", EVERY_SHAPE, ids=shape)
def test_files_say_where_keys_are_and_hold_none(made: MeshConfiguration) -> None:
    text = json.dumps([file.content for file in pod_files(made)])
    assert "PRIVATE" not in text
    assert "BEGIN" not in text
    assert "inline" not in text
    directories = {names.IDENTITY_DIRECTORY, names.BOOTSTRAP_DIRECTORY, names.DISCOVERY_DIRECTORY}
    directories.add(f"{names.DISCOVERY_DIRECTORY}/{names.VOLUME_DATA}")
    for path in re.findall(r'"((?:/[\w.-]+)+)"', text.replace("/healthz/ready", "").replace("/stats/prometheus", "")):
        assert path == "/ready" or path in directories or str(Path(path).parent) in directories


@pytest.mark.parametrize("made", EVERY_SHAPE, ids=shape)
def test_without_an_access_log_nothing_logs(made: MeshConfiguration) -> None:
    logging = [name for name, listener in listeners(made).items() if listener.get("access_log")]
    assert logging == ([] if made.proxy.access_log is AccessLog.OFF else ["outbound", "inbound"])


def test_a_configuration_whose_trust_domain_is_none_has_no_bootstrap() -> None:
    with pytest.raises(Invalid):
        bootstrap(MeshConfiguration(trust_domain="Cluster.Local"))


messages = st.lists(st.dictionaries(st.text(), st.text() | st.integers() | st.booleans(), max_size=3), max_size=3)


@given(messages, messages)
def test_versions_differ_exactly_when_resources_do(one: Any, other: Any) -> None:
    versions = response("t", one)["version_info"], response("t", other)["version_info"]
    same = json.dumps(one) == json.dumps(other)
    assert (versions[0] == versions[1]) is same
    assert all(re.fullmatch(r"[0-9a-f]{16}", str(version)) for version in versions)
