"""A pod that comes injected: what is to be there is there once, as if it had never been injected before."""

import copy
import json
from collections.abc import Callable
from typing import Any

import jsonpatch
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa import names
from proa.mesh import MeshConfiguration, mesh_configuration
from proa.trees import same
from webhook.decision import Subject
from webhook.decoding import converted
from webhook.injection import Injection, injection
from webhook.pod import Pod
from webhook.sidecar import sidecar
from webhook.uninjection import uninjection

OTHER = mesh_configuration("proxy: {image: other, logLevel: debug}\nipFamily: ipv4\ndiscovery: {kind: files}\n")
PROBE = {"httpGet": {"path": "/", "port": 8080}}
LATER = {"name": "later", "image": "x", "readinessProbe": {"tcpSocket": {"port": 7000}}}
LABELS = {names.INJECT: "enabled"}


def decided(pod: Any, configuration: MeshConfiguration = MeshConfiguration(), labels: Any = LABELS) -> Injection:
    subject = Subject(converted(pod, Pod, ""), "demo", labels, configuration)
    return injection(subject, sidecar(configuration), lambda: pod)


def plain(operations: Any) -> Any:
    return json.loads(msgspec.json.encode(operations))


def injected(pod: Any, configuration: MeshConfiguration = MeshConfiguration()) -> Any:
    """*pod* with the webhook's patch applied by a library that is not ours."""
    return jsonpatch.apply_patch(pod, plain(decided(pod, configuration).operations))


def uninjected(pod: Any) -> Any:
    return jsonpatch.apply_patch(pod, plain(uninjection(pod)))


def assert_same(one: Any, other: Any) -> None:
    assert same(one, other), f"{json.dumps(one, indent=1)}\n{json.dumps(other, indent=1)}"


@pytest.fixture(scope="session")
def any_change(any_json: st.SearchStrategy[Any]) -> st.SearchStrategy[Callable[[Any], Any]]:
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
    annotated = st.tuples(text | st.sampled_from(["a/b~c", "~1"]), text)
    return st.tuples(st.lists(listed, max_size=3), st.lists(annotated, max_size=2), st.booleans()).map(_change)


def _change(wanted: Any) -> Callable[[Any], Any]:
    def change(pod: Any) -> Any:
        """As far as it is the same whether *pod* is injected: others' items go before all, or after all."""
        changed = copy.deepcopy(pod)
        items, annotations, drops_probes = wanted
        for number, (place, first, item) in enumerate(items):
            found = changed["spec"].get(place) or []
            own = {**item, "name": f"{item['name']}-{number}"} if place != "volumes" else {"name": f"v{number}"}
            changed["spec"][place] = [own, *found] if first else [*found, own]
        for key, value in annotations:
            changed["metadata"] = changed.get("metadata") or {}
            changed["metadata"]["annotations"] = {**(changed["metadata"].get("annotations") or {}), key: value}
        if drops_probes:
            changed["spec"]["containers"][-1].pop("readinessProbe", None)
            changed["spec"]["containers"][-1].pop("livenessProbe", None)
        return changed

    return change


# inject.md §4.3: 55, 56, 57 (by the record), 58, 59.


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
    for before, after in ((OTHER, MeshConfiguration()), (MeshConfiguration(), OTHER)):
        again = injected(injected(pod, before), after)
        assert_same(again, injected(pod, after))
        assert_same(uninjected(again), pod)
    assert decided(injected(pod, OTHER)).decision.reason.code == "injected_again"
