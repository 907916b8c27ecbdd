import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from installation.checks import Failed, NotMade, Passed, Row, Severity, problems, rows
from installation.deployments import Deployment
from installation.postflight import POSTFLIGHT
from installation.preflight import PREFLIGHT
from installation.rehearsal import Bare, Injected, Rejected
from installation.rights import Right
from installation.state import BadConfiguration, Installation, NoConfiguration, own
from installation.survey import Cluster, Entry, Namespace, Node, Unread, entries
from kube.resources import CERT_MANAGER_CERTIFICATES, ISSUERS, NAMESPACES, POD_CERTIFICATE_REQUESTS
from proa.mesh import MeshConfiguration, mesh_configuration
from webhook.registration import Revision, registration


def asked(document: str = "{}") -> tuple[Entry, ...]:
    """The entries of a registration that is made of a configuration, and trusted."""
    found = entries(registration(Revision(), configuration=mesh_configuration(document)))
    return tuple(dataclasses.replace(each, trusted="eA==") for each in found)


SOUND = Cluster(
    version="v1.37.0",
    unserved=(),
    denied=(),
    nodes=(Node("one", ready=True, system="linux", kernel="6.1.0-18-amd64", kubelet="v1.37.0"),),
    namespaces=(Namespace("shop", {"proa.dev/inject": "enabled"}, {}, terminating=False),),
    entries=asked(),
)
BY_NODE = mesh_configuration("interception: {programmedBy: node}")
WEBHOOK = Deployment("proa-webhook", wanted=2, updated=2, available=2, total=2, observed=True, version="0.1.0")
AUTHORITY = dataclasses.replace(WEBHOOK, name="proa-ca")
AGENT = dataclasses.replace(WEBHOOK, name="proa-node")
INSTALLED = Installation(
    revision="",
    version="0.1.0",
    cluster=SOUND,
    deployments=(WEBHOOK, AUTHORITY),
    configuration=MeshConfiguration(),
    bundles=("proa.dev:workload:v1",),
    rehearsal=Injected(),
)


def node(**more: Any) -> dict[str, Any]:
    assert not isinstance(SOUND.nodes, Unread)
    return {"nodes": (*SOUND.nodes, dataclasses.replace(SOUND.nodes[0], name="two", **more))}


def labelled(name: str = "cart", annotations: dict[str, str] | None = None, **labels: str) -> dict[str, Any]:
    spelled = {key.replace("__", "/").replace("_", "."): value for key, value in labels.items()}
    return {"namespaces": (Namespace(name, spelled, annotations or {}, terminating=False),)}


def entry(
    configuration: str, name: str, selector: Any = None, service: str = "other/it", trusted: str = "eA=="
) -> Entry:
    return Entry(configuration, name, selector or {}, {}, service, trusted)


ISTIO = entry(
    "istio-sidecar-injector", "namespace.sidecar-injector.istio.io", {"matchLabels": {"istio-injection": "enabled"}}
)
LINKERD = entry("linkerd-proxy-injector-webhook-config", "linkerd-proxy-injector.linkerd.io")
SOUND_ENTRIES = asked()
FORBIDDING = {"proa.dev/inject": "enabled", "pod-security.kubernetes.io/enforce": "baseline"}
FAULTS: dict[str, list[dict[str, Any]]] = {
    "kubernetes_too_old": [{"version": "v1.36.4"}, {"version": "?"}],
    "api_not_served": [{"unserved": (POD_CERTIFICATE_REQUESTS,)}],
    "cert_manager_missing": [{"unserved": (ISSUERS,)}, {"unserved": (CERT_MANAGER_CERTIFICATES,)}],
    "permission_missing": [{"denied": (Right("create", NAMESPACES),)}],
    "no_linux_node": [
        {"nodes": ()},
        {"nodes": (Node("one", ready=False, system="linux", kernel="6.1", kubelet="v1.37.0"),)},
        {"nodes": (Node("one", ready=True, system="windows", kernel="10.0", kubelet="v1.37.0"),)},
    ],
    "kernel_too_old": [node(kernel="5.1.21")],
    "kubelet_too_old": [node(kubelet="v1.36.9")],
    "windows_node": [node(system="windows", kernel="10.0.20348", kubelet="v1.36.0")],
    "namespace_terminating": [{"namespaces": (Namespace("proa-system", {}, {}, terminating=True),)}],
    "pod_security_forbids_injection": [{"namespaces": (Namespace("cart", FORBIDDING, {}, terminating=False),)}],
    "label_not_understood": [
        {"namespaces": (Namespace("cart", {"proa.dev/inject": "yes"}, {}, terminating=False),)},
        {"namespaces": (Namespace("cart", {"proa.dev/on-failure": "Open"}, {}, terminating=False),)},
    ],
    "other_mesh_collides": [
        {
            "entries": (ISTIO,),
            "namespaces": (
                Namespace("cart", {"proa.dev/inject": "true", "istio-injection": "enabled"}, {}, terminating=False),
            ),
        },
        {
            "entries": (LINKERD,),
            "namespaces": (
                Namespace("cart", {"proa.dev/inject": "true"}, {"linkerd.io/inject": "enabled"}, terminating=False),
            ),
        },
    ],
    "other_mesh_present": [{"entries": (ISTIO,)}, {"entries": (LINKERD,)}],
    "another_proa": [{"entries": (entry("proa", "x.proa.dev", {"matchLabels": {"proa.dev/inject": "enabled"}}),)}],
}
FAULTS_INSTALLED: dict[str, list[dict[str, Any]]] = {
    "not_installed": [{"deployments": ()}, {"deployments": (WEBHOOK,)}],
    "deployment_not_ready": [
        {"deployments": (dataclasses.replace(WEBHOOK, available=1), AUTHORITY)},
        {"deployments": (dataclasses.replace(WEBHOOK, observed=False), AUTHORITY)},
    ],
    "version_differs": [{"version": "0.2.0"}],
    "configuration_missing": [{"configuration": NoConfiguration("ConfigMap proa-system/proa is missing")}],
    "configuration_invalid": [{"configuration": BadConfiguration(("proxy.concurrency: found 0",))}],
    "node_agent_missing": [
        {"configuration": BY_NODE},
    ],
    "trust_bundle_missing": [{"bundles": ()}],
    "registration_missing": [{"cluster": dataclasses.replace(SOUND, entries=())}],
    "registration_untrusted": [
        {
            "cluster": dataclasses.replace(
                SOUND, entries=(entry("proa-webhook", "a", service="proa-system/proa-webhook", trusted=""),)
            )
        }
    ],
    "registration_outdated": [
        {"configuration": mesh_configuration("injection: {policy: enabled}")},
        {"configuration": mesh_configuration("vocabulary: istio")},
        {"configuration": mesh_configuration("injection: {never: {pods: {matchLabels: {app: legacy}}}}")},
        {"cluster": dataclasses.replace(SOUND, entries=asked("injection: {enforce: [pay]}"))},
        {"cluster": dataclasses.replace(SOUND, entries=SOUND_ENTRIES[1:])},
    ],
    "registration_orphaned": [
        {
            "cluster": dataclasses.replace(
                SOUND, entries=(entry("proa-webhook-old", "a", service="proa-system/proa-webhook-old"),)
            )
        }
    ],
    "revision_not_installed": [
        {
            "cluster": dataclasses.replace(
                SOUND, namespaces=(Namespace("cart", {"proa.dev/rev": "blue"}, {}, terminating=False),)
            )
        },
        {"cluster": dataclasses.replace(SOUND, entries=())},
    ],
    "injection_fails": [{"rehearsal": Bare()}, {"rehearsal": Rejected("failed calling webhook")}],
}


def test_what_a_revision_needs_is_its_webhook_and_what_all_share() -> None:
    others = dataclasses.replace(WEBHOOK, name="proa-webhook-other", available=0)
    survey = dataclasses.replace(INSTALLED, deployments=(WEBHOOK, others, AUTHORITY, AGENT))
    assert own(survey).deployments == (WEBHOOK, AUTHORITY, AGENT)
    assert own(dataclasses.replace(survey, revision="other")).deployments == (others, AUTHORITY, AGENT)
    unread = dataclasses.replace(INSTALLED, deployments=Unread("not allowed"))
    assert own(unread) == unread


def test_no_standard_forbids_what_a_node_programs() -> None:
    strict = dataclasses.replace(SOUND, namespaces=(Namespace("cart", FORBIDDING, {}, terminating=False),))
    assert failed(rows(PREFLIGHT, strict)) == {"pod_security_forbids_injection"}
    assert failed(rows(PREFLIGHT, dataclasses.replace(strict, programming=BY_NODE.interception))) == set()


def test_an_agent_has_to_be_ready_on_every_node() -> None:
    manned = dataclasses.replace(INSTALLED, configuration=BY_NODE, deployments=(WEBHOOK, AUTHORITY, AGENT))
    assert failed(rows(POSTFLIGHT, manned)) == set()
    lacking = dataclasses.replace(manned, deployments=(WEBHOOK, AUTHORITY, dataclasses.replace(AGENT, available=1)))
    assert failed(rows(POSTFLIGHT, lacking)) == {"deployment_not_ready"}


def failed(report: tuple[Row, ...]) -> set[str]:
    return {row.code for row in report if isinstance(row.outcome, Failed)}


def test_a_sound_cluster_and_a_sound_installation_pass_every_check() -> None:
    report = (*rows(PREFLIGHT, SOUND), *rows(POSTFLIGHT, INSTALLED))
    assert {row.outcome for row in report} == {Passed()}


@pytest.mark.parametrize(("code", "fault"), [(code, fault) for code, faults in FAULTS.items() for fault in faults])
def test_what_is_wrong_with_a_cluster_is_found_by_its_check(code: str, fault: dict[str, Any]) -> None:
    assert code in failed(rows(PREFLIGHT, dataclasses.replace(SOUND, **fault)))


@pytest.mark.parametrize(
    ("code", "fault"), [(code, fault) for code, faults in FAULTS_INSTALLED.items() for fault in faults]
)
def test_what_is_wrong_with_an_installation_is_found_by_its_check(code: str, fault: dict[str, Any]) -> None:
    assert code in failed(rows(POSTFLIGHT, dataclasses.replace(INSTALLED, **fault)))


def test_a_namespace_that_is_being_deleted_is_no_reason_not_to_install() -> None:
    going = Namespace("cart", FORBIDDING, {}, terminating=True)
    assert failed(rows(PREFLIGHT, dataclasses.replace(SOUND, namespaces=(going,)))) == set()


def test_every_check_is_shown_to_fail() -> None:
    assert [check.code for check in PREFLIGHT] == list(FAULTS)
    assert [check.code for check in POSTFLIGHT] == list(FAULTS_INSTALLED)


def test_no_two_messages_have_the_same_code() -> None:
    codes = [check.code for check in (*PREFLIGHT, *POSTFLIGHT)]
    assert len(codes) == len(set(codes))


@pytest.mark.parametrize("part", ["denied", "nodes", "namespaces", "entries"])
def test_a_check_of_what_could_not_be_read_is_not_made_and_says_why(part: str) -> None:
    report = rows(PREFLIGHT, dataclasses.replace(SOUND, **{part: Unread("you may not list nodes")}))
    outcomes = {row.outcome for row in report}
    assert outcomes == {Passed(), NotMade("you may not list nodes")}
    assert problems(report) == ()


def test_what_is_missing_of_kubernetes_and_of_cert_manager_is_told_apart() -> None:
    for resource, code in ((POD_CERTIFICATE_REQUESTS, "api_not_served"), (ISSUERS, "cert_manager_missing")):
        report = rows(PREFLIGHT, dataclasses.replace(SOUND, unserved=(resource,)))
        assert failed(report) == {code}


def test_only_problems_keep_proa_from_being_installed() -> None:
    report = rows(PREFLIGHT, dataclasses.replace(SOUND, **node(system="windows"), version="v1.20.0"))
    assert {row.code for row in report if isinstance(row.outcome, Failed)} == {"kubernetes_too_old", "windows_node"}
    assert [row.code for row in problems(report)] == ["kubernetes_too_old"]
    assert all(row.severity is Severity.PROBLEM for row in problems(report))


def test_a_mesh_beside_proa_is_a_problem_only_where_a_namespace_asks_for_both() -> None:
    report = rows(PREFLIGHT, dataclasses.replace(SOUND, entries=(ISTIO, LINKERD)))
    assert failed(report) == {"other_mesh_present"}


names_ = st.text("abc", min_size=1, max_size=3)
labels = st.dictionaries(
    st.sampled_from(["proa.dev/inject", "proa.dev/rev", "proa.dev/on-failure", "istio-injection", "x"]),
    st.sampled_from(["enabled", "disabled", "open", "blue", ""]),
)
clusters = st.builds(
    Cluster,
    version=st.text(max_size=8) | st.just("v1.37.1"),
    unserved=st.tuples(),
    denied=st.tuples() | st.builds(Unread, names_),
    nodes=st.lists(
        st.builds(Node, names_, st.booleans(), st.sampled_from(["linux", "windows", ""]), names_, names_)
    ).map(tuple)
    | st.builds(Unread, names_),
    namespaces=st.lists(st.builds(Namespace, names_, labels, labels, st.booleans())).map(tuple)
    | st.builds(Unread, names_),
    entries=st.lists(
        st.sampled_from([ISTIO, LINKERD, entry("proa-webhook-blue", "b", service="proa-system/proa-webhook-blue")])
    ).map(tuple)
    | st.builds(Unread, names_),
)


@given(clusters)
def test_whatever_was_found_every_row_says_something(survey: Cluster) -> None:
    for row in (*rows(PREFLIGHT, survey), *rows(POSTFLIGHT, dataclasses.replace(INSTALLED, cluster=survey))):
        match row.outcome:
            case Failed(found):
                assert found
                assert all(found)
            case NotMade(why):
                assert why
            case Passed():
                pass
