"""One document makes one configuration, or is refused with everything that is wrong with it."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from proa.containers import AccessLog, LogLevel, Proxy, Resources
from proa.errors import Invalid, Refused
from proa.mesh import (
    Certificate,
    FileDiscovery,
    IpFamily,
    IssuerKey,
    MeshConfiguration,
    NoDiscovery,
    PeerTls,
    Vocabulary,
    mesh_configuration,
)

KEYS = (
    "trustDomain",
    "vocabulary",
    "peerTls",
    "ipFamily",
    "proxy",
    "init",
    "certificate",
    "discovery",
    "injection",
    "neverInjectNamespaces",
)
INNER = (
    "kind",
    "configMap",
    "image",
    "concurrency",
    "logLevel",
    "accessLog",
    "resources",
    "requests",
    "lifetimeSeconds",
    "issuerKey",
)
texts = st.text(
    st.characters(codec="utf-8", exclude_characters="\x00\x7f\ufeff", exclude_categories=["Cc", "Cs", "Cn"])
)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts
values = st.recursive(
    scalars | st.sampled_from(["files", "none", "strict", "off", "json", "a\n"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(INNER) | st.sampled_from(KEYS) | texts, inner, max_size=4)
    ),
    max_leaves=12,
)
quantities = st.dictionaries(
    st.sampled_from(["cpu", "memory", "example.com/gpu"]), st.sampled_from(["1", "1.5Gi", "50m"])
)
resources = st.builds(
    lambda limits, requested: Resources(
        requests={key: limits[key] for key in limits if key in requested}, limits=limits
    ),
    quantities,
    st.sets(st.sampled_from(["cpu", "memory", "example.com/gpu"])),
)
configurations = st.builds(
    MeshConfiguration,
    trust_domain=st.text("az09._-", min_size=1, max_size=255),
    vocabulary=st.sampled_from(Vocabulary),
    peer_tls=st.sampled_from(PeerTls),
    ip_family=st.sampled_from(IpFamily),
    proxy=st.builds(
        Proxy,
        image=st.sampled_from(["envoy", "localhost:5000/envoy@sha256:abc"]),
        concurrency=st.integers(1, 256),
        log_level=st.sampled_from(LogLevel),
        access_log=st.sampled_from(AccessLog),
        resources=resources,
    ),
    discovery=st.just(NoDiscovery())
    | st.builds(FileDiscovery, config_map=st.sampled_from(["a", "mesh.files", "0-1.2", "c" * 253])),
    never_inject_namespaces=st.lists(st.sampled_from(["a", "kube-system", "0-9", "n" * 63]), max_size=3).map(tuple),
)


def outcome(document: str | bytes) -> MeshConfiguration | Refused:
    try:
        return mesh_configuration(document)
    except Refused as refused:
        return refused


def problems(document: str | bytes) -> tuple[Invalid, ...]:
    with pytest.raises(Refused) as refused:
        mesh_configuration(document)
    assert refused.value.subject == "the mesh configuration"
    return refused.value.problems


def problem(document: str | bytes) -> Invalid:
    (only,) = problems(document)
    return only


@pytest.mark.parametrize("document", ["", b"", "{}", "---\n", "null", "# nothing but words\n", "\n\n"])
def test_an_empty_document_is_a_mesh_of_defaults(document: str | bytes) -> None:
    assert mesh_configuration(document) == MeshConfiguration()


def test_every_field_can_be_set() -> None:
    document = b"""
trustDomain: example.org
vocabulary: istio
peerTls: strict
ipFamily: ipv4
proxy:
  image: localhost:5000/envoy@sha256:0123
  concurrency: 1
  logLevel: debug
  accessLog: "off"
  resources: {requests: {cpu: "2"}, limits: {example.com/gpu: "1"}}
init: {image: other, resources: {limits: {memory: 1.5Gi}}}
certificate: {lifetimeSeconds: 3600, issuerKey: rsa-3072}
discovery: {kind: files, configMap: mesh.files}
neverInjectNamespaces: []
"""
    read = mesh_configuration(document)
    assert read.proxy == Proxy(
        image="localhost:5000/envoy@sha256:0123",
        concurrency=1,
        log_level=LogLevel.DEBUG,
        access_log=AccessLog.OFF,
        resources=Resources(requests={"cpu": "2"}, limits={"example.com/gpu": "1"}),
    )
    assert read.vocabulary is Vocabulary.ISTIO
    assert (read.trust_domain, read.peer_tls, read.ip_family) == ("example.org", PeerTls.STRICT, IpFamily.IPV4)
    assert (read.init.image, read.init.resources) == ("other", Resources(limits={"memory": "1.5Gi"}))
    assert read.certificate == Certificate(lifetime_seconds=3600, issuer_key=IssuerKey.RSA_3072)
    assert read.discovery == FileDiscovery(config_map="mesh.files")
    assert read.never_inject_namespaces == ()


@given(configurations)
def test_every_configuration_is_read_back_from_its_own_text(configuration: MeshConfiguration) -> None:
    assert mesh_configuration(msgspec.json.encode(configuration)) == configuration


def test_every_mistake_is_told_at_once_by_its_path() -> None:
    document = """
trustDomain: Cluster.Local
vocabulary: linkerd
peerTls: STRICT
ipFamily: ipv6
proxy:
  image: ""
  concurrency: 0
  logLevel: loud
  accessLog: [json]
  resources:
    requests: {cpu: 5, memory: lots, "": 1m}
    limit: {}
init: {image: a b}
certificate: {lifetimeSeconds: 60}
discovery: {kind: filez}
neverInjectNamespaces: [fine, Not_Fine, 3]
colour: red
3: three
"""
    assert {each.field for each in problems(document)} == {
        "trustDomain",
        "vocabulary",
        "peerTls",
        "ipFamily",
        "proxy.image",
        "proxy.concurrency",
        "proxy.logLevel",
        "proxy.accessLog",
        "proxy.resources.requests",
        "proxy.resources.requests.cpu",
        "proxy.resources.requests.memory",
        "proxy.resources.limit",
        "init.image",
        "certificate.lifetimeSeconds",
        "discovery.kind",
        "neverInjectNamespaces.1",
        "neverInjectNamespaces.2",
        "colour",
        "3",
    }


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ("proxy: {concurrency: 0}", "proxy.concurrency: found 0, allowed: a whole number from 1 to 256"),
        ("proxy: {concurrency: 257}", "proxy.concurrency: found 257, allowed: a whole number from 1 to 256"),
        ("proxy: {concurrency: true}", "proxy.concurrency: found true, allowed: a whole number from 1 to 256"),
        ("proxy: {concurrency: 2.0}", "proxy.concurrency: found 2.0, allowed: a whole number from 1 to 256"),
        ("proxy: {concurrency: '2'}", "proxy.concurrency: found '2', allowed: a whole number from 1 to 256"),
        ("proxy: {accessLog: on}", "proxy.accessLog: found true, allowed: json, off"),
        ("proxy: {accessLog: 'OFF'}", "proxy.accessLog: found 'OFF', allowed: json, off"),
        ("proxy: {image: 3}", "proxy.image: found 3, allowed: text"),
        ("proxy: {image: a b}", "proxy.image: found 'a b', allowed: an image reference"),
        ('init: {image: "a\\n"}', r"init.image: found 'a\n', allowed: an image reference"),
        ("peerTls: off", "peerTls: found false, allowed: permissive, strict"),
        ("trustDomain: 3", "trustDomain: found 3, allowed: text"),
        ("trustDomain: A", "trustDomain: found 'A', allowed: 1 to 255 of a-z, 0-9, '.', '-' and '_'"),
        (
            "proxy: {resources: {limits: {cpu: 2}}}",
            "proxy.resources.limits.cpu: found 2, allowed: a quantity as text, such as '500m' or '128Mi'",
        ),
        (
            'proxy: {resources: {limits: {cpu: "2\\n"}}}',
            r"proxy.resources.limits.cpu: found '2\n', allowed: a quantity as text, such as '500m' or '128Mi'",
        ),
        ("proxy: {resources: {limits: [1]}}", "proxy.resources.limits: found [1], allowed: a mapping"),
        ("discovery: {}", "discovery.kind: found nothing, allowed: none, files"),
        ("discovery: {kind: filez}", "discovery.kind: found 'filez', allowed: none, files"),
        ("discovery: {kind: [files]}", "discovery.kind: found ['files'], allowed: none, files"),
        ("discovery: {kind: files, x: 1}", "discovery.x: found an unknown key, allowed: kind, configMap"),
        ("discovery: {kind: none, configMap: a}", "discovery.configMap: found an unknown key, allowed: kind"),
        (
            'discovery: {kind: files, configMap: "a\\n"}',
            r"discovery.configMap: found 'a\n', allowed: a ConfigMap's name: 1 to 253 of a-z, 0-9, '-', '.'",
        ),
        ("neverInjectNamespaces: kube-system", "neverInjectNamespaces: found 'kube-system', allowed: a list"),
        (
            "neverInjectNamespaces: [kube_system]",
            "neverInjectNamespaces.0: found 'kube_system', allowed: a namespace: 1 to 63 of a-z, 0-9 and '-'",
        ),
        (
            "certificate: {lifetimeSeconds: 1e4}",
            "certificate.lifetimeSeconds: found 10000.0, allowed: a whole number from 3600 to 7862400",
        ),
        ("certificate: {days: 1}", "certificate.days: found an unknown key, allowed: lifetimeSeconds, issuerKey"),
    ],
)
def test_a_mistake_reads_well(document: str, told: str) -> None:
    assert str(problem(document)) == told


@pytest.mark.parametrize("key", ["proxy", "init", "certificate", "discovery"])
@pytest.mark.parametrize("found", ["null", "3", "text", "[]", "true"])
def test_a_section_that_is_no_mapping_is_refused(key: str, found: str) -> None:
    refused = problem(f"{key}: {found}")
    assert (refused.field, refused.allowed) == (key, "a mapping")


@pytest.mark.parametrize(("word", "read"), [("off", AccessLog.OFF), ("'off'", AccessLog.OFF), ("json", AccessLog.JSON)])
def test_a_bare_off_is_what_the_user_wrote_not_a_boolean(word: str, read: AccessLog) -> None:
    assert mesh_configuration(f"proxy: {{accessLog: {word}}}").proxy.access_log is read


def test_a_bare_date_is_text() -> None:
    assert mesh_configuration("trustDomain: 2026-01-01").trust_domain == "2026-01-01"


@pytest.mark.parametrize(
    ("document", "field", "found"),
    [
        ("[]", "the document", "[]"),
        ("3", "the document", "3"),
        ("off", "the document", "false"),
        ("a: 1\n---\nb: 2\n", "the stream", "2 documents"),
        ("a: b: c", "the stream", "mapping values are not allowed in this context at line 1, column 5"),
        ("a: [", "the stream", "line 2"),
        (b"\xff", "the stream", "invalid leading UTF-8 octet"),
        ("\x00", "the stream", "control characters are not allowed"),
        ("proxy: {}\nproxy: {}\n", "line 2", "the key 'proxy' a second time"),
        ("proxy:\n  image: a\n  image: b\n", "line 3", "the key 'image' a second time"),
        ("? [a]\n: b", "line 1", "a collection"),
        ("null: b", "line 1", "a key that is null"),
        ("proxy: &a {image: *a}", "line 1", "aliases in a circle"),
        ("certificate: {lifetimeSeconds: !!int a}", "line 1", "'a'"),
        ("certificate: {lifetimeSeconds: .nan}", "line 1", ".nan"),
        (f"a: 0x{'f' * 9999}", "line 1", "(10003 characters)"),
        ("[" * 100_000, "the stream", "more than 200 levels"),
    ],
)
def test_what_is_no_mapping_in_yaml_is_refused_by_its_place(document: str | bytes, field: str, found: str) -> None:
    refused = problem(document)
    assert refused.field == field
    assert found in refused.found


def test_aliases_that_stand_for_billions_are_refused_without_writing_them_out() -> None:
    levels = [f"a{level}: &a{level} {{<<: [*a{level - 1}, *a{level - 1}]}}" for level in range(1, 40)]
    assert "aliases" in problem("\n".join(["a0: &a0 {x: 1}", *levels])).found


def test_an_alias_stands_for_what_it_names() -> None:
    read = mesh_configuration("proxy: {image: &image proa:2}\ninit: {image: *image}")
    assert read.proxy.image == read.init.image == "proa:2"


def test_a_document_larger_than_a_config_map_is_refused_before_it_is_read() -> None:
    assert mesh_configuration("#" * 1_048_576) == MeshConfiguration()
    refused = problem("[" * 1_048_577)
    assert str(refused) == "the document: found 1048577 characters, allowed: at most 1048576"


@given(values | st.dictionaries(st.sampled_from(KEYS), values, max_size=8))
def test_any_value_is_a_configuration_or_refused_by_name(value: Any) -> None:
    match outcome(json.dumps(value)):
        case Refused(problems=refused):
            assert refused
            for each in refused:
                assert each.field
                assert "`" not in each.allowed
                assert "\n" not in each.found
        case read:
            assert mesh_configuration(msgspec.json.encode(read)) == read


@given(st.text(st.characters()) | st.text(":-{}[]&*!|>#'\" \nabc?<") | st.binary(max_size=30))
@example("\ud800")
def test_any_text_is_a_configuration_or_refused(document: str | bytes) -> None:
    match outcome(document):
        case Refused(problems=refused):
            assert refused
            assert all(each.field for each in refused)
        case read:
            assert isinstance(read, MeshConfiguration)


@pytest.mark.parametrize(
    "make",
    [
        lambda: MeshConfiguration(trust_domain="Cluster.Local"),
        lambda: Proxy(image=""),
        lambda: Proxy(image="a\nb"),
    ],
)
def test_a_value_made_in_code_is_checked_too(make: Any) -> None:
    with pytest.raises(Invalid):
        make()


TRUSTED = {"kind": "grpc", "trustedNodeAccounts": ["proa-node/proa-node"]}


@pytest.mark.parametrize(
    ("istio", "interception", "field"),
    [
        ({"kind": "none"}, "node", "authority.workloadApi.kind"),
        ({"kind": "grpc"}, "node", "authority.workloadApi.kind"),
        ({**TRUSTED, "trustedNodeAccounts": ["istio-system/ztunnel"]}, "node", "authority.workloadApi.kind"),
        (TRUSTED, "pod", "authority.workloadApi.kind"),
        (TRUSTED, "node", ""),
    ],
)
def test_the_workload_api_takes_the_nodes_agent_and_its_leave_to_ask_for_others(
    istio: dict[str, Any], interception: str, field: str
) -> None:
    authority = {"istio": istio, "workloadApi": {"kind": "node-agent"}}
    document = json.dumps({"authority": authority, "interception": {"programmedBy": interception}})
    if not field:
        assert mesh_configuration(document)
        return
    with pytest.raises(Refused) as refused:
        mesh_configuration(document)
    assert [each.field for each in refused.value.problems] == [field]
