"""Pods that templates changed come injected: undone and redone by a record that anybody may have written."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa import names
from proa.errors import Invalid, Refused
from proa.mesh import MeshConfiguration, mesh_configuration
from proa.partial import PartialPod
from support.injecting import assert_same, decided, in_list, injected, uninjected
from support.partials import PARTIAL
from webhook.difference import difference
from webhook.injection import Origin

TEMPLATES = """
templates:
  traced:
    metadata: {labels: {traced: "yes"}}
    spec:
      containers:
      - {name: collector, image: "collector:1", readinessProbe: {httpGet: {port: 4318}}}
      - {name: "*", env: [{name: TRACE, value: "1"}], volumeMounts: [{name: spool, mountPath: /spool}]}
      - {name: app, args: null}
      - {name: proa-proxy, resources: {limits: {cpu: "2"}}}
      volumes: [{name: spool, configMap: {name: spool}}]
      tolerations: [{key: traced, operator: Exists}]
"""
TRACED = mesh_configuration(TEMPLATES)
APP = {"name": "app", "image": "web:1", "args": ["-v"], "livenessProbe": {"tcpSocket": {"port": 8080}}}
OWN = {"name": "proa-proxy", "image": "auto", "env": [{"name": "MINE", "value": "1"}]}


def readable(pod: Any) -> Any:
    """With the record as what it says: the order of members is not part of it."""
    read = copy.deepcopy(pod)
    read["metadata"]["annotations"][names.STATUS] = json.loads(read["metadata"]["annotations"][names.STATUS])
    return read


def traced(*more: Any, templates: str = "traced") -> Any:
    metadata = {"name": "web", "annotations": {names.TEMPLATES: templates}}
    return {"metadata": metadata, "spec": {"containers": [copy.deepcopy(APP), *copy.deepcopy(more)]}}


def as_admitted(pod: Any) -> Any:
    """What the API server and its plugins make of a pod before each of the two calls."""
    made = copy.deepcopy(pod)
    for place in ("initContainers", "containers"):
        for each in made["spec"].get(place, ()):
            _admit(each)
    for volume in made["spec"].get("volumes", ()):
        if "configMap" in volume:
            volume["configMap"]["defaultMode"] = 420
    waiting = {"key": "node.kubernetes.io/not-ready", "operator": "Exists", "tolerationSeconds": 300}
    found = made["spec"].get("tolerations", [])
    made["spec"]["tolerations"] = found if waiting in found else [*found, waiting]
    return made


def _admit(container: Any) -> None:
    token = {
        "name": "kube-api-access-x",
        "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount",
        "readOnly": True,
    }
    mounts = container.setdefault("volumeMounts", [])
    mounts.extend([] if token in mounts else [token])
    container["imagePullPolicy"] = "Always"
    if container["image"] != "auto":
        container["image"] = f"mirror.example/{container['image'].removeprefix('mirror.example/')}"
    container.setdefault("resources", {}).setdefault("limits", {}).setdefault("memory", "1Gi")
    for probe in {"readinessProbe", "livenessProbe"} & container.keys():
        container[probe] = {"timeoutSeconds": 1, "periodSeconds": 10, **container[probe]}


@given(data=st.data())
def test_injecting_twice_is_injecting_once_whatever_the_templates(
    data: st.DataObject, any_probed_pod: st.SearchStrategy[Any], any_mesh: st.SearchStrategy[Any]
) -> None:
    pod, mesh = data.draw(any_probed_pod), data.draw(any_mesh)
    try:
        once = injected(pod, mesh)
    except (Invalid, Refused):
        return
    again = decided(once, mesh)
    assert (again.operations, again.decision.reason.code) == ((), "already_injected")
    assert_same(uninjected(once), pod)


@given(data=st.data())
def test_injecting_a_file_under_other_templates_leaves_no_rest_of_the_former(
    data: st.DataObject, any_probed_pod: st.SearchStrategy[Any], any_mesh: st.SearchStrategy[Any]
) -> None:
    pod, before, after = data.draw(any_probed_pod), data.draw(any_mesh), data.draw(any_mesh)
    try:
        once, expected = injected(pod, before), injected(pod, after)
    except (Invalid, Refused):
        return
    found = injected(once, after, Origin.FILE)
    assert_same(readable(found), readable(expected))
    assert_same(uninjected(found), pod)


@pytest.fixture(scope="session")
def any_mesh() -> st.SearchStrategy[MeshConfiguration]:
    """Configurations with a template, native and regular, for all pods."""
    listed = ("containers", "initContainers")

    def mesh(partial: Any, every: bool, kind: str) -> MeshConfiguration:
        spec = partial.get("spec") or {}
        for place in listed if every else ():
            spec[place] = [{**each, "name": "*"} for each in spec.get(place) or () if "$patch" not in each][:1]
        try:
            template = PartialPod(metadata=partial.get("metadata") or {}, spec=spec)
        except Refused:
            template = PartialPod()
        proxy = mesh_configuration(f"proxy: {{sidecar: {kind}}}").proxy
        return MeshConfiguration(templates={"any": template}, default_templates=("any",), proxy=proxy)

    return st.builds(mesh, PARTIAL, st.booleans(), st.sampled_from(["native", "regular"]))


def test_what_the_api_servers_plugins_gave_to_what_templates_gave_stays() -> None:
    for pod in (traced(), traced(OWN)):
        came = as_admitted(injected(as_admitted(pod), TRACED))
        again = decided(came, TRACED)
        assert (again.operations, again.decision.reason.code) == ((), "already_injected")


def test_a_container_that_came_later_gets_what_templates_give_to_each_and_nothing_is_lost() -> None:
    came = as_admitted(injected(as_admitted(traced()), TRACED))
    came["spec"]["containers"].append({"name": "later", "image": "x"})
    found = injected(came, TRACED)
    assert in_list(found, "containers", "later")["env"] == [{"name": "TRACE", "value": "1"}]
    collector = in_list(found, "containers", "collector")
    assert [each["name"] for each in collector["volumeMounts"]] == ["kube-api-access-x"]
    assert (collector["image"], collector["imagePullPolicy"]) == ("mirror.example/collector:1", "Always")
    assert [each["key"] for each in found["spec"]["tolerations"]] == ["traced", "node.kubernetes.io/not-ready"]
    assert decided(found, TRACED).operations == ()


def test_a_changed_template_of_the_same_places_is_laid_over_the_original() -> None:
    changed = mesh_configuration(TEMPLATES.replace('value: "1"', 'value: "2"').replace("args: null", "args: [-q]"))
    for pod in (traced(), traced(OWN)):
        assert_same(injected(injected(pod, TRACED), changed), injected(pod, changed))
        assert_same(uninjected(injected(injected(pod, TRACED), changed)), pod)


def test_what_no_template_gives_any_more_stays_unless_it_is_a_file() -> None:
    gone, once = mesh_configuration("templates: {traced: {}}"), injected(traced(), TRACED)
    left, taken = injected(once, gone), injected(once, gone, Origin.FILE)
    assert in_list(left, "containers", "collector")["image"] == "collector:1"
    assert_same(taken, injected(traced(), gone))
    assert decided(left, gone).operations == ()


def test_a_users_own_proxy_container_is_heard_again_under_another_configuration() -> None:
    other = mesh_configuration("proxy: {image: other, sidecar: regular}")
    once = injected(traced(OWN, templates=""), MeshConfiguration())
    assert_same(injected(once, other), injected(traced(OWN, templates=""), other))
    assert_same(injected(injected(once, other), MeshConfiguration()), once)


def test_a_gateway_is_asked_about_again() -> None:
    pod = {"metadata": {"annotations": {names.TEMPLATES: "gateway"}}, "spec": {"containers": [copy.deepcopy(OWN)]}}
    once = injected(pod)
    assert decided(once).operations == ()
    assert_same(uninjected(once), pod)


def guarded(changed: Any, **more: Any) -> Any:
    """A pod with what another webhook put into it, and with a record of its author's making."""
    record = {"version": 3, "proa": "", "fingerprint": "", "initContainers": [], "volumes": [], **more}
    record |= {"annotations": [names.STATUS], "changed": changed}
    agent = {"name": "agent", "image": "agent:1", "env": [{"name": "KEY", "value": "1"}]}
    app = {**copy.deepcopy(APP), "env": [{"name": "AUDIT", "value": "1"}], "securityContext": {"runAsNonRoot": True}}
    metadata = {
        "labels": {"audited": "yes"},
        "annotations": {names.STATUS: json.dumps(record), names.TEMPLATES: "traced"},
    }
    spec = {"containers": [app, agent], "initContainers": [{"name": "check"}], "volumes": [{"name": "audit"}]}
    return {"metadata": metadata, "spec": {**spec, "nodeSelector": {"zone": "a"}, "hostPID": False}}


def without(pod: Any, change: Callable[[Any], Any]) -> Any:
    """The difference that a record would undo if *pod* had been made of what *change* leaves of it."""
    before = copy.deepcopy(pod)
    change(before)
    return json.loads(json.dumps(difference(before, pod)))


FORGERIES: dict[str, Callable[[Any], Any]] = {
    "a container goes": lambda pod: pod["spec"]["containers"].pop(1),
    "an init container goes": lambda pod: pod["spec"].pop("initContainers"),
    "a volume goes": lambda pod: pod["spec"]["volumes"].clear(),
    "a variable goes": lambda pod: pod["spec"]["containers"][0]["env"].clear(),
    "all variables go": lambda pod: pod["spec"]["containers"][0].pop("env"),
    "a security context goes": lambda pod: pod["spec"]["containers"][0].pop("securityContext"),
    "an image is another": lambda pod: pod["spec"]["containers"][1].update(image="evil:1"),
    "a label goes": lambda pod: pod["metadata"]["labels"].clear(),
    "labels go": lambda pod: pod["metadata"].pop("labels"),
    "a node is chosen": lambda pod: pod["spec"].pop("nodeSelector"),
    "the node's processes are seen": lambda pod: pod["spec"].update(hostPID=True),
    "a container comes": lambda pod: pod["spec"]["containers"].append({"name": "evil", "image": "evil:1"}),
    "everything goes": lambda pod: pod.pop("spec"),
}


@pytest.mark.parametrize("forgery", FORGERIES.values(), ids=FORGERIES)
def test_a_forged_record_of_templates_takes_nothing_of_anybody_elses(forgery: Callable[[Any], Any]) -> None:
    honest = guarded({})
    forged = guarded(without(honest, forgery))
    assert_same(injected(forged, TRACED), injected(honest, TRACED))


@given(data=st.data())
def test_any_record_of_changes_is_refused_or_stays_within_what_templates_write(
    data: st.DataObject, any_json: st.SearchStrategy[Any]
) -> None:
    members = st.sampled_from(["metadata", "spec", "labels", "containers", "volumes", "app", "agent", "env", "image"])
    changes = st.recursive(
        st.fixed_dictionaries({}, optional={"absent": st.lists(members), "was": st.dictionaries(members, any_json)}),
        lambda inner: st.fixed_dictionaries(
            {},
            optional={
                "in": st.dictionaries(members, inner) | st.lists(st.tuples(members, inner)),
                "by": st.just("name"),
                "absent": st.lists(members),
                "was": st.lists(st.tuples(st.none() | members, any_json)) | any_json,
                "before": st.sampled_from(["absent", "null"]),
            },
        ),
    )
    changed = data.draw(changes | st.dictionaries(st.sampled_from(["absent", "was", "in", "by"]), any_json))
    try:
        found = injected(guarded(changed), TRACED)
    except (Invalid, Refused):
        return
    expected = injected(guarded({}), TRACED)
    for place in ("initContainers", "containers", "volumes"):
        assert [each["name"] for each in found["spec"][place]] == [each["name"] for each in expected["spec"][place]]
    assert_same(in_list(found, "containers", "agent"), in_list(expected, "containers", "agent"))
    app, other = (in_list(each, "containers", "app") for each in (found, expected))
    assert {key: app[key] for key in app if key != "args"} == {key: other[key] for key in other if key != "args"}
    assert found["metadata"]["labels"] == expected["metadata"]["labels"]
    assert found["spec"]["nodeSelector"] == {"zone": "a"}


CONTAINER_FIELDS = (
    "env",
    "envFrom",
    "ports",
    "volumeMounts",
    "resources",
    "securityContext",
    "lifecycle",
    "image",
    "args",
)
POD_FIELDS = ("volumes", "tolerations", "securityContext", "initContainers", "imagePullSecrets", "nodeSelector")


@given(data=st.data())
def test_arbitrary_json_anywhere_in_a_pod_of_templates_is_refused_or_injected_once_and_undone(
    data: st.DataObject, any_json: st.SearchStrategy[Any]
) -> None:
    wild = any_json | st.lists(st.fixed_dictionaries({"name": any_json, "mountPath": any_json}), max_size=2)
    pod = traced(OWN)
    for container in pod["spec"]["containers"]:
        container.update(data.draw(st.dictionaries(st.sampled_from(CONTAINER_FIELDS), wild, max_size=2)))
    pod["spec"] |= data.draw(st.dictionaries(st.sampled_from(POD_FIELDS), wild, max_size=1))
    pod["metadata"] |= data.draw(st.dictionaries(st.sampled_from(["labels", "finalizers"]), wild, max_size=1))
    before = copy.deepcopy(pod)
    try:
        once = injected(pod, TRACED)
    except (Invalid, Refused):
        return
    assert pod == before
    assert decided(once, TRACED).operations == ()
    assert_same(uninjected(once), pod)
