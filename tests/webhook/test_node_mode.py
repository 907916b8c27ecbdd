"""Pods that the node programs: they may do nothing themselves, and say what is to be done to them."""

import copy
import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from proa import names
from proa.capture.annotation import ANNOTATION, from_annotation
from proa.capture.interception import Interception
from proa.errors import Refused
from proa.mesh import MeshConfiguration, mesh_configuration
from support.injecting import DEFAULT, assert_same, decided, in_list, injected, uninjected
from webhook.podsecurity import ENFORCED, FORBIDDING, rejection
from webhook.sidecar import sidecar

NODE = mesh_configuration("interception: {programmedBy: node, awaitSeconds: 60}")
GOLDEN = Path(__file__).parent / "golden"
GIVEN = GOLDEN / "probed.by-node.json"
FORGED = '{"include-outbound-cidrs":""}'
MODES = st.sampled_from([DEFAULT, NODE])


def golden_pod(case: str = "ordinary") -> Any:
    return yaml.safe_load((GOLDEN / f"{case}.pod.yaml").read_text(encoding="utf-8"))


def annotated(pod: Any, **said: str) -> Any:
    changed = copy.deepcopy(pod)
    changed["metadata"] = changed.get("metadata") or {}
    found = changed["metadata"].get("annotations") or {}
    changed["metadata"]["annotations"] = {**found, **said}
    return changed


def told(pod: Any) -> Interception:
    return from_annotation(pod["metadata"]["annotations"][ANNOTATION])


def init_container(pod: Any) -> dict[str, Any]:
    return dict(in_list(pod, "initContainers", names.INIT_CONTAINER))


def test_what_a_probed_pod_is_given_is_its_golden_half() -> None:
    """The other half is what every pod is given. With PROA_UPDATE_GOLDEN=1 it is written anew first."""
    pod = injected(golden_pod("probed"), NODE)
    found = {ANNOTATION: pod["metadata"]["annotations"][ANNOTATION], names.INIT_CONTAINER: init_container(pod)}
    if "PROA_UPDATE_GOLDEN" in os.environ:
        GIVEN.write_text(f"{json.dumps(found, indent=2)}\n", encoding="utf-8")
    assert found == json.loads(GIVEN.read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", [names.INIT_CONTAINER, names.PROXY_CONTAINER])
def test_both_containers_are_as_the_restricted_standard_asks(name: str) -> None:
    context = in_list(injected(golden_pod(), NODE), "initContainers", name)["securityContext"]
    assert context["runAsNonRoot"] is True
    assert context["runAsUser"] > 0
    assert context["capabilities"] == {"drop": ["ALL"]}
    assert context["allowPrivilegeEscalation"] is False
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}


def test_no_pod_security_standard_refuses_what_they_are() -> None:
    for standard in FORBIDDING:
        assert not [*rejection("demo", {ENFORCED: standard}, sidecar(NODE))]
        assert "docs/node-mode.md" in [*rejection("demo", {ENFORCED: standard}, sidecar(DEFAULT))][-1]


def test_the_container_holds_the_pod_for_as_long_as_the_mesh_says() -> None:
    found = init_container(injected(golden_pod(), NODE))
    assert (found["command"], found["args"]) == (["proa-init"], ["--await=60"])


def test_the_agent_and_the_container_are_told_the_same() -> None:
    pod = annotated(golden_pod("probed"), **{"proa.dev/exclude-inbound-ports": "9999", "proa.dev/udp": "drop"})
    made = injected(pod, NODE)
    excluded = (names.READY_PORT, names.METRICS_PORT, 9999)
    assert {port for port, _ in told(made).excluded_inbound_ports} >= set(excluded)
    ports = ",".join(str(first) for first, _ in told(made).excluded_inbound_ports)
    assert init_container(made)["args"] == [f"--exclude-inbound-ports={ports}", "--udp=drop", "--await=60"]
    assert told(made).udp == "drop"


def test_the_ports_that_the_kubelet_asks_are_reached_directly() -> None:
    made = injected(golden_pod("probed"), NODE)
    assert (names.PROBE_PORTS + 1,) * 2 in told(made).excluded_inbound_ports
    assert told(injected(golden_pod(), NODE)) == Interception()


def test_a_pod_that_is_only_dialled_out_of_is_shown_by_another_user_than_the_proxys() -> None:
    made = injected(annotated(golden_pod(), **{"proa.dev/include-inbound-ports": ""}), NODE)
    context = init_container(made)["securityContext"]
    assert (context["runAsUser"], context["runAsGroup"]) == (1000, 1000)


def test_a_pod_in_which_nothing_would_show_is_refused() -> None:
    nothing = {"proa.dev/include-inbound-ports": "", "proa.dev/include-outbound-cidrs": ""}
    with pytest.raises(Refused) as refused:
        decided(annotated(golden_pod(), **nothing), NODE)
    assert "nothing would show whether it has" in str(refused.value)
    assert decided(annotated(golden_pod(), **nothing)).operations


def test_what_contradicts_itself_is_told_once() -> None:
    said = annotated(golden_pod(), **{"proa.dev/include-outbound-ports": "22", "proa.dev/exclude-outbound-ports": "22"})
    problems = []
    for configuration in (DEFAULT, NODE):
        with pytest.raises(Refused) as refused:
            decided(said, configuration)
        problems.append([str(each) for each in refused.value.problems])
    assert problems[0] == problems[1]


@pytest.mark.parametrize("configuration", [DEFAULT, NODE], ids=["pod", "node"])
def test_what_the_author_wrote_is_never_read(configuration: MeshConfiguration) -> None:
    pod = annotated(golden_pod(), **{ANNOTATION: FORGED})
    made = injected(pod, configuration)
    assert made["metadata"]["annotations"].get(ANNOTATION) == ("{}" if configuration is NODE else None)
    assert_same(uninjected(made), pod)
    assert decided(made, configuration).decision.reason.code == "already_injected"


@pytest.mark.parametrize("configuration", [DEFAULT, NODE], ids=["pod", "node"])
def test_what_another_webhook_writes_between_is_not_read_either(configuration: MeshConfiguration) -> None:
    made = injected(golden_pod(), configuration)
    again = injected(annotated(made, **{ANNOTATION: FORGED}), configuration)
    assert again["metadata"]["annotations"].get(ANNOTATION) == ("{}" if configuration is NODE else None)


def test_a_template_cannot_write_it() -> None:
    with pytest.raises(Refused) as refused:
        mesh_configuration(f"templates: {{forged: {{metadata: {{annotations: {{{ANNOTATION}: x}}}}}}}}")
    assert ANNOTATION in str(refused.value)


def test_a_pod_to_which_nothing_is_redirected_is_left_alone() -> None:
    made = injected(annotated(golden_pod(), **{names.TEMPLATES: "gateway"}), NODE)
    assert ANNOTATION not in made["metadata"]["annotations"]
    assert names.INIT_CONTAINER not in [each["name"] for each in made["spec"]["initContainers"]]


@given(data=st.data())
def test_injecting_twice_is_injecting_once(data: st.DataObject, any_probed_pod: st.SearchStrategy[Any]) -> None:
    again = decided(injected(data.draw(any_probed_pod), NODE), NODE)
    assert (again.operations, again.decision.reason.code) == ((), "already_injected")


@given(data=st.data())
def test_any_pod_comes_back_as_it_was(data: st.DataObject, any_probed_pod: st.SearchStrategy[Any]) -> None:
    pod = data.draw(any_probed_pod)
    if data.draw(st.booleans()):
        pod = annotated(pod, **{ANNOTATION: data.draw(st.text())})
    assert_same(uninjected(injected(pod, NODE)), pod)


@given(data=st.data(), former=MODES, present=MODES)
def test_a_change_of_who_programs_is_as_if_it_had_always_been_so(
    data: st.DataObject, any_probed_pod: st.SearchStrategy[Any], former: MeshConfiguration, present: MeshConfiguration
) -> None:
    pod = data.draw(any_probed_pod)
    moved = injected(injected(pod, former), present)
    assert_same(moved, injected(pod, present))
    assert_same(uninjected(moved), pod)
