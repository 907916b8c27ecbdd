"""A pod whose app is to see its clients' own addresses: what its sidecar is given for it, and who refuses that."""

from typing import Any

import msgspec
import pytest

from proa import names
from proa.capture.annotation import ANNOTATION, from_annotation
from proa.capture.choices import Tproxied
from proa.errors import Refused
from proa.mesh import MeshConfiguration, Vocabulary, mesh_configuration
from support.injecting import assert_same, decided, in_list, injected, uninjected
from webhook.podsecurity import ENFORCED, rejection
from webhook.sidecar import sidecar
from webhook.wishes import PodSettings

NODE = mesh_configuration("interception: {programmedBy: node}")
MODE = "proa.dev/inbound-mode"
FIELD = "proa-proxy's securityContext"
ASKING = PodSettings(intercepting=("--inbound-mode=tproxy:1337:133",))
REMEDY = f"to have it injected, leave out what adds it, such as {MODE}=tproxy (docs/annotations.md)"


def pod(mode: str = "tproxy", key: str = MODE, **more: str) -> dict[str, Any]:
    return {
        "metadata": {"name": "web", "annotations": {key: mode, **more}},
        "spec": {"containers": [{"name": "app", "image": "app"}]},
    }


def proxy(made: Any) -> Any:
    return in_list(made, "initContainers", names.PROXY_CONTAINER)


def bootstrap(made: Any) -> Any:
    return msgspec.json.decode(made["metadata"]["annotations"][names.BOOTSTRAP])["static_resources"]


@pytest.mark.parametrize("configuration", [MeshConfiguration(), NODE], ids=["by pod", "by node"])
def test_its_proxy_is_root_with_one_capability_and_the_proxys_group(configuration: MeshConfiguration) -> None:
    context = proxy(injected(pod(), configuration))["securityContext"]
    assert (context["runAsUser"], context["runAsGroup"], context["runAsNonRoot"]) == (0, names.PROXY_GID, False)
    assert context["capabilities"] == {"drop": ["ALL"], "add": ["NET_RAW"]}
    assert (context["allowPrivilegeEscalation"], context["readOnlyRootFilesystem"]) == (False, True)


@pytest.mark.parametrize(("mode", "mark", "table"), [("tproxy", 1337, 133), ("tproxy:5:6", 5, 6)])
def test_the_proxy_and_who_programs_the_pod_are_told_the_same(mode: str, mark: int, table: int) -> None:
    made = injected(pod(mode), NODE)
    wanted = from_annotation(made["metadata"]["annotations"][ANNOTATION])
    assert wanted.inbound_mode == Tproxied(mark, table)
    inbound = next(each for each in bootstrap(made)["listeners"] if each["name"] == "inbound")
    assert inbound["transparent"] is True
    assert [each["typed_config"].get("mark") for each in inbound["listener_filters"]] == [None, mark, None]


def test_whoever_asks_for_redirection_gets_what_whoever_asks_for_nothing_gets() -> None:
    assert proxy(injected(pod("redirect"))) == proxy(injected(pod(key="x/y")))
    assert bootstrap(injected(pod("redirect"))) == bootstrap(injected(pod(key="x/y")))


def test_istios_annotation_asks_for_the_same() -> None:
    istio = MeshConfiguration(vocabulary=Vocabulary.ISTIO)
    made = injected(pod("TPROXY", "sidecar.istio.io/interceptionMode"), istio)
    assert proxy(made) == proxy(injected(pod(), istio))
    assert bootstrap(made) == bootstrap(injected(pod(), istio))


def test_a_pod_into_which_nothing_is_redirected_gets_no_capability() -> None:
    bare = mesh_configuration("templates: {bare: {spec: {initContainers: [{name: proa-init, $patch: delete}]}}}")
    made = injected(pod(**{names.TEMPLATES: "bare"}), bare)
    assert proxy(made)["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert {each["name"] for each in bootstrap(made)["listeners"]} == {"ready", "metrics"}


def test_it_may_be_injected_again_and_restored() -> None:
    made = injected(pod())
    assert decided(made).operations == ()
    assert_same(uninjected(made), pod())
    made["metadata"]["annotations"][MODE] = "redirect"
    assert proxy(injected(made)) == proxy(injected(pod("redirect")))


@pytest.mark.parametrize("standard", ["baseline", "restricted"])
def test_a_standard_that_the_namespace_enforces_refuses_it_by_node_too(standard: str) -> None:
    found = [*rejection("shop", {ENFORCED: standard}, sidecar(NODE, ASKING))]
    fields = [f"{FIELD}.capabilities.add NET_RAW"]
    if standard == "restricted":
        fields.append(f"{FIELD}.runAsUser 0")
    assert found == [
        f"Pod Security {standard} (latest), enforced by namespace shop, forbids {', '.join(fields)}",
        REMEDY,
    ]


def test_where_both_containers_are_refused_both_are_told_of() -> None:
    found = [*rejection("shop", {ENFORCED: "baseline"}, sidecar(MeshConfiguration(), ASKING))]
    assert [" NET_ADMIN" in found[0], " NET_RAW" in found[2], found[3]] == [True, True, REMEDY]


def test_the_policy_that_keeps_baseline_refuses_it() -> None:
    labels = {ENFORCED: "privileged", names.POD_SECURITY: "baseline"}
    assert [*rejection("shop", labels, sidecar(MeshConfiguration(), ASKING))] == [
        f"{names.POD_SECURITY}=baseline of namespace shop forbids {FIELD}.capabilities.add NET_RAW",
        REMEDY,
    ]
    assert [*rejection("shop", labels, sidecar(MeshConfiguration()))] == []
    assert [*rejection("shop", {ENFORCED: "privileged"}, sidecar(MeshConfiguration(), ASKING))] == []


@pytest.mark.parametrize(
    ("context", "field"),
    [
        ({"runAsUser": names.PROXY_UID}, "runAsUser"),
        ({"runAsNonRoot": True}, "runAsNonRoot"),
        ({"capabilities": {"drop": ["NET_RAW"]}}, "capabilities"),
        ({"capabilities": {"add": ["NET_BIND_SERVICE"]}}, "capabilities"),
    ],
)
def test_nothing_laid_over_the_proxy_takes_it_away(context: dict[str, Any], field: str) -> None:
    said = pod()
    said["spec"]["containers"].append({"name": names.PROXY_CONTAINER, "image": "auto", "securityContext": context})
    with pytest.raises(Refused) as refused:
        decided(said)
    assert [each.field for each in refused.value.problems] == [f"{names.PROXY_CONTAINER}.securityContext.{field}"]
    said["metadata"]["annotations"][MODE] = "redirect"
    assert decided(said).operations


def test_what_leaves_it_may_be_laid_over_the_proxy() -> None:
    said = pod()
    context = {"seccompProfile": {"type": "Unconfined"}, "capabilities": {"add": ["NET_RAW", "SYS_PTRACE"]}}
    said["spec"]["containers"].append({"name": names.PROXY_CONTAINER, "image": "auto", "securityContext": context})
    made = injected(said)
    assert proxy(made)["securityContext"]["capabilities"]["add"] == ["NET_RAW", "SYS_PTRACE"]
