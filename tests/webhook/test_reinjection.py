"""A pod that comes injected: what is to be there is there once, as if it had never been injected before."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from proa import names
from proa.mesh import mesh_configuration
from support.injecting import DEFAULT, assert_same, decided, in_list, injected, uninjected
from webhook.review import Response

GOLDEN = Path(__file__).parent / "golden"
REGULAR = mesh_configuration("proxy: {sidecar: regular}")
OTHER = mesh_configuration("proxy: {image: other, logLevel: debug}\nipFamily: ipv4\ndiscovery: {kind: files}\n")
PROBE = {"httpGet": {"path": "/", "port": 8080}}
LATER = {"name": "later", "image": "x", "readinessProbe": {"tcpSocket": {"port": 7000}}}


@pytest.fixture(scope="session")
def any_change() -> st.SearchStrategy[Callable[[Any], Any]]:
    """What another webhook may do to a pod, injected or not, to what is not Proa's."""
    text = st.text(st.characters(codec="utf-8"), max_size=4)
    added = st.fixed_dictionaries(
        {"name": text.map(lambda name: f"other-{name}")},
        optional={
            "readinessProbe": st.sampled_from([PROBE, {"tcpSocket": {"port": 70}}, {"grpc": {"port": 9}}, None]),
            "lifecycle": st.sampled_from([None, {"preStop": PROBE}]),
            "restartPolicy": st.just("Always"),
        },
    )
    listed = st.tuples(st.sampled_from(["initContainers", "containers", "volumes"]), st.booleans(), added)
    annotated = st.tuples(text | st.sampled_from(["a/b~c", "~1"]), text) | st.sampled_from(
        [("proa.dev/exclude-outbound-ports", "22"), ("proa.dev/exclude-outbound-ports", ""), ("proa.dev/ipv6", "drop")]
    )
    return st.tuples(st.lists(listed, max_size=3), st.lists(annotated, max_size=2), st.booleans()).map(_change)


def _change(wanted: Any) -> Callable[[Any], Any]:
    def change(pod: Any) -> Any:
        """As far as it is the same whether *pod* is injected: others' items go before all, or after all."""
        changed = copy.deepcopy(pod)
        items, annotations, drops_probes = wanted
        for number, (place, first, item) in enumerate(copy.deepcopy(list(each)) for each in items):
            found = changed["spec"].get(place) or []
            own = {**item, "name": f"{item['name']}-{number}"} if place != "volumes" else {"name": f"v{number}"}
            changed["spec"][place] = [own, *found] if first else [*found, own]
        for key, value in annotations:
            changed["metadata"] = changed.get("metadata") or {}
            changed["metadata"]["annotations"] = {**(changed["metadata"].get("annotations") or {}), key: value}
        if drops_probes:
            theirs = [each for each in changed["spec"]["containers"] if each["name"] != names.PROXY_CONTAINER][-1]
            theirs.pop("readinessProbe", None)
            theirs.pop("livenessProbe", None)
        return changed

    return change


@given(data=st.data())
def test_injecting_twice_is_injecting_once(data: st.DataObject, any_probed_pod: st.SearchStrategy[Any]) -> None:
    once = injected(data.draw(any_probed_pod))
    again = decided(once)
    assert (again.operations, again.decision.reason.code) == ((), "already_injected")


@given(data=st.data())
def test_what_others_change_between_is_as_if_it_had_been_there_before(
    data: st.DataObject, any_probed_pod: st.SearchStrategy[Any], any_change: st.SearchStrategy[Callable[[Any], Any]]
) -> None:
    pod, change = data.draw(any_probed_pod), data.draw(any_change)
    assert_same(injected(change(injected(pod))), injected(change(pod)))
    assert_same(uninjected(injected(change(injected(pod)))), change(pod))


@given(data=st.data())
def test_another_configuration_leaves_nothing_of_the_one_before(
    data: st.DataObject, any_probed_pod: st.SearchStrategy[Any]
) -> None:
    pod = data.draw(any_probed_pod)
    for before, after in ((OTHER, DEFAULT), (DEFAULT, OTHER)):
        again = injected(injected(pod, before), after)
        assert_same(again, injected(pod, after))
        assert_same(uninjected(again), pod)
    assert decided(injected(pod, OTHER)).decision.reason.code == "injected_again"


@given(data=st.data())
def test_a_regular_sidecar_becomes_a_native_one_and_back_with_nothing_left_of_the_other(
    data: st.DataObject, any_probed_pod: st.SearchStrategy[Any], any_change: st.SearchStrategy[Callable[[Any], Any]]
) -> None:
    pod, change = data.draw(any_probed_pod), data.draw(any_change)
    for before, after in ((REGULAR, DEFAULT), (DEFAULT, REGULAR)):
        again = injected(change(injected(pod, before)), after)
        assert_same(again, injected(change(pod), after))
        assert decided(again, after).operations == ()
        assert_same(uninjected(again), change(pod))


def test_who_asks_for_a_regular_sidecar_after_having_a_native_one_gets_it(ordinary_pod: Any) -> None:
    pod, key = copy.deepcopy(ordinary_pod), f"{names.PREFIX}/sidecar"
    once = injected(pod)
    once["metadata"]["annotations"][key] = "regular"
    pod["metadata"].setdefault("annotations", {})[key] = "regular"
    assert_same(injected(once), injected(pod))


def as_admitted(pod: Any) -> Any:
    """An injected *pod* as the API server sends it a second time: its own plugins and defaults saw the sidecar."""
    sent = copy.deepcopy(pod)
    for name in (names.INIT_CONTAINER, names.PROXY_CONTAINER):
        ours = in_list(sent, "initContainers", name)
        ours |= {"imagePullPolicy": "Always", "terminationMessagePath": "/dev/termination-log"}
        ours["resources"].setdefault("limits", {})["cpu"] = "500m"
        ours["volumeMounts"] = [*ours.get("volumeMounts", []), {"name": "kube-api-access-x", "mountPath": "/var/run"}]
    proxy = in_list(sent, "initContainers", names.PROXY_CONTAINER)
    proxy["image"] = f"mirror.example/{proxy['image']}"
    proxy["env"].append({"name": "ADDED", "value": "x"})
    for field in proxy["env"][:3]:
        field["valueFrom"]["fieldRef"]["apiVersion"] = "v1"
    in_list(sent, "volumes", names.IDENTITY_VOLUME)["projected"]["defaultMode"] = 420
    for container in sent["spec"]["containers"]:
        for probe in ("readinessProbe", "livenessProbe"):
            if "httpGet" in container.get(probe, {}):
                container[probe] |= {"timeoutSeconds": 1, "periodSeconds": 10}
                container[probe]["httpGet"] |= {"scheme": "HTTP"}
    return sent


@pytest.fixture
def probed_pod() -> Any:
    app = {
        "name": "app",
        "readinessProbe": {"tcpSocket": {"port": 5432}, "timeoutSeconds": 1, "periodSeconds": 10},
        "livenessProbe": {"httpGet": {"path": "/", "port": 8080, "scheme": "HTTP"}},
    }
    return {"metadata": {"name": "web"}, "spec": {"containers": [app]}}


@pytest.mark.parametrize("probes", [True, False])
def test_what_the_api_servers_own_plugins_give_the_sidecar_is_no_reason_for_a_patch(
    probed_pod: Any, ordinary_pod: Any, *, probes: bool
) -> None:
    sent = as_admitted(injected(probed_pod if probes else ordinary_pod))
    again = decided(sent)
    assert (again.operations, again.decision.reason.code) == ((), "already_injected")


@pytest.mark.parametrize("probes", [True, False])
def test_a_container_that_came_later_has_its_probes_covered_and_the_sidecar_keeps_what_others_gave_it(
    probed_pod: Any, ordinary_pod: Any, *, probes: bool
) -> None:
    pod = probed_pod if probes else ordinary_pod
    sent = as_admitted(injected(pod))
    sent["spec"]["containers"].append(LATER)
    again = decided(sent)
    assert again.decision.reason.code == "injected_again"
    result = injected(sent)
    assert in_list(result, "containers", "later")["readinessProbe"]["httpGet"]["port"] in range(15100, 15200)
    early = copy.deepcopy(pod)
    early["spec"]["containers"].append(LATER)
    expected = injected(early)
    for name in (names.INIT_CONTAINER, names.PROXY_CONTAINER):
        found, fresh = (in_list(each, "initContainers", name) for each in (result, expected))
        assert found["command"] == fresh["command"]
        assert found.get("args") == fresh.get("args")
        assert found["imagePullPolicy"] == "Always"
        assert found["resources"]["limits"]["cpu"] == "500m"
        assert found["volumeMounts"][-1]["name"] == "kube-api-access-x"
    proxy = in_list(result, "initContainers", names.PROXY_CONTAINER)
    assert proxy["image"].startswith("mirror.example/")
    variables = [each["name"] for each in proxy["env"]]
    assert sorted(variables) == ["ADDED", "POD_IP", "POD_NAME", "POD_NAMESPACE", "SERVICE_ACCOUNT"]
    assert in_list(result, "volumes", names.IDENTITY_VOLUME)["projected"]["defaultMode"] == 420
    assert decided(result).operations == ()


def test_a_sidecar_that_listens_no_more_is_told_so(probed_pod: Any) -> None:
    sent = as_admitted(injected(probed_pod))
    del sent["spec"]["containers"][0]["readinessProbe"], sent["spec"]["containers"][0]["livenessProbe"]
    proxy = in_list(injected(sent), "initContainers", names.PROXY_CONTAINER)
    assert "--config-yaml" not in proxy["args"]
    assert [each["name"] for each in proxy["env"]][-1] == "ADDED"
    assert "POD_IP" not in [each["name"] for each in proxy["env"]]


def test_what_the_sidecar_is_told_and_may_do_is_nobody_elses_to_change(probed_pod: Any) -> None:
    # By a webhook that came later, or by who wrote the pod after one that was injected.
    sent = as_admitted(injected(probed_pod))
    proxy = in_list(sent, "initContainers", names.PROXY_CONTAINER)
    proxy["args"] = ["--log-level", "trace"]
    proxy["securityContext"] |= {"runAsUser": 0, "capabilities": {"drop": []}}
    del in_list(sent, "initContainers", names.INIT_CONTAINER)["command"]
    assert_same(injected(sent), as_admitted(injected(probed_pod)))


def test_under_another_configuration_the_sidecar_is_as_new(probed_pod: Any) -> None:
    assert_same(
        injected(as_admitted(injected(probed_pod, OTHER)))["spec"]["initContainers"],
        injected(probed_pod)["spec"]["initContainers"],
    )


def test_all_of_a_sidecar_that_depends_on_its_pod_is_known(probed_pod: Any, ordinary_pod: Any) -> None:
    # Or a sidecar whose pod changed would keep it.
    for name, members in ((names.INIT_CONTAINER, {"command"}), (names.PROXY_CONTAINER, {"args", "env"})):
        one, other = (in_list(injected(pod), "initContainers", name) for pod in (probed_pod, ordinary_pod))
        assert {key for key in one.keys() | other.keys() if one.get(key) != other.get(key)} == members


def test_a_copy_that_lost_its_sidecar_is_injected_as_the_original_was(probed_pod: Any) -> None:
    # Such as a backup's restore, or `kubectl get -o yaml` without what somebody cut out.
    copied = injected(probed_pod)
    del copied["spec"]["initContainers"], copied["spec"]["volumes"]
    assert_same(injected(copied), injected(probed_pod))
    again = decided(copied)
    assert again.decision.reason.code == "injected_again"


def test_a_copy_of_the_annotations_alone_leaves_the_probes_of_another_pod_alone(probed_pod: Any) -> None:
    other = {"metadata": {}, "spec": {"containers": [{"name": "app", "livenessProbe": {"httpGet": {"port": 9000}}}]}}
    copied = copy.deepcopy(other)
    copied["metadata"]["annotations"] = injected(probed_pod)["metadata"]["annotations"]
    found, expected = injected(copied), injected(other)
    assert found["spec"] == expected["spec"]
    assert uninjected(found)["spec"] == other["spec"]


def test_a_pod_that_proa_0_1_injected_is_undone_and_injected_anew() -> None:
    old = yaml.safe_load((GOLDEN / "probed.0.1.0.yaml").read_text(encoding="utf-8"))
    pod = yaml.safe_load((GOLDEN / "probed.pod.yaml").read_text(encoding="utf-8"))
    assert json.loads(old["metadata"]["annotations"][names.STATUS])["version"] == 2
    assert_same(uninjected(old), pod)
    assert_same(injected(old), injected(pod))


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"labels": {names.INJECT: "disabled"}}, "pod_label_disabled"),
        ({"annotations": {names.INJECT: "false"}}, "pod_annotation_disabled"),
    ],
)
def test_an_injected_pod_that_opts_out_is_left_with_its_sidecar_and_a_warning(
    ordinary_pod: Any, review_of: Callable[..., bytes], answer: Callable[..., Response], change: Any, code: str
) -> None:
    pod = injected(ordinary_pod)
    for key, value in change.items():
        pod["metadata"][key] = pod["metadata"].get(key, {}) | value
    response = answer(review_of(pod))
    assert (response.allowed, response.patch) == (True, None)
    assert response.verdict == ("left", code)
    (warning,) = response.warnings
    assert "proa uninject" in warning


def test_a_pod_that_is_as_it_should_be_warns_of_nothing(
    ordinary_pod: Any, review_of: Callable[..., bytes], answer: Callable[..., Response]
) -> None:
    response = answer(review_of(injected(ordinary_pod)))
    assert response.verdict == ("left", "already_injected")
    assert response.warnings == ()
