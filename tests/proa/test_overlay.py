"""A partial pod is laid over a whole one by Kubernetes' rules; tests/cluster_suite/ compares with Kubernetes itself."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa.errors import Invalid
from proa.overlay import bare, overlay
from support.partials import PARTIAL, WHOLE


def containers(*those: Any) -> Any:
    return {"spec": {"containers": list(those)}}


APP = {"name": "app", "image": "web:1", "args": ["-v"], "env": [{"name": "A", "value": "1"}]}


def laid(partial: Any, over: Any = APP) -> Any:
    """What becomes of a container."""
    return overlay(containers(over), containers({"name": "app", **partial}))["spec"]["containers"][0]


@pytest.mark.parametrize(
    ("partial", "expected"),
    [
        ({"image": "web:2"}, {"image": "web:2"}),
        ({"tty": True}, {"tty": True}),
        ({"args": ["-q"]}, {"args": ["-q"]}),
        ({"args": []}, {"args": []}),
        ({"$deleteFromPrimitiveList/args": ["-v"]}, {"args": []}),
        ({"env": [{"name": "A", "value": "2"}]}, {"env": [{"name": "A", "value": "2"}]}),
        ({"env": [{"name": "B"}]}, {"env": [{"name": "A", "value": "1"}, {"name": "B"}]}),
        ({"env": [{"name": "A", "$patch": "delete"}]}, {"env": []}),
        ({"env": [{"$patch": "replace"}, {"name": "B"}]}, {"env": [{"name": "B"}]}),
        (
            {"env": [{"name": "A", "value": None, "valueFrom": {"x": 1}}]},
            {"env": [{"name": "A", "valueFrom": {"x": 1}}]},
        ),
        ({"resources": {"$patch": "replace", "limits": {"cpu": "1"}}}, {"resources": {"limits": {"cpu": "1"}}}),
        ({"resources": {"limits": {"cpu": None, "memory": "1Mi"}}}, {"resources": {"limits": {"memory": "1Mi"}}}),
        ({"volumeMounts": [{"mountPath": "/a", "name": "x"}]}, {"volumeMounts": [{"mountPath": "/a", "name": "x"}]}),
    ],
)
def test_a_field_is_merged_by_kubernetes_rules(partial: Any, expected: Any) -> None:
    assert laid(partial) == {**APP, **expected}


def test_null_takes_a_field_away() -> None:
    assert laid({"args": None, "tty": None}) == {key: value for key, value in APP.items() if key != "args"}


def test_retain_keys_takes_away_what_it_does_not_name() -> None:
    pod = {"spec": {"volumes": [{"name": "socket", "emptyDir": {"medium": "Memory"}}]}}
    csi = {"name": "socket", "$retainKeys": ["name", "csi"], "csi": {"driver": "csi.spiffe.io"}}
    assert overlay(pod, {"spec": {"volumes": [csi]}}) == {
        "spec": {"volumes": [{"name": "socket", "csi": {"driver": "csi.spiffe.io"}}]}
    }


def test_what_is_there_keeps_its_order_and_what_is_new_follows_it() -> None:
    pod, partial = containers({"name": "a"}, {"name": "b"}), containers({"name": "new"}, {"name": "b"}, {"name": "a"})
    assert [each["name"] for each in overlay(pod, partial)["spec"]["containers"]] == ["a", "b", "new"]


@pytest.mark.parametrize(
    ("partial", "field"),
    [
        (containers({"image": "x"}), "spec.containers.name"),
        (containers("x"), "spec.containers.name"),
        (containers({"name": "app", "env": [{}]}), "spec.containers.env.name"),
        (containers({"name": "app", "$patch": "merge"}), "spec.containers.$patch"),
        ({"spec": {"nodeSelector": {"$patch": None}}}, "spec.nodeSelector.$patch"),
    ],
)
def test_what_cannot_be_merged_is_refused_by_its_field(partial: Any, field: str) -> None:
    with pytest.raises(Invalid) as refused:
        overlay({"spec": {"nodeSelector": {}, **containers(APP)["spec"]}}, partial)
    assert refused.value.field == field


@given(WHOLE, PARTIAL)
def test_nothing_is_changed_in_place(pod: Any, partial: Any) -> None:
    before = copy.deepcopy((pod, partial))
    overlay(pod, partial)
    assert (pod, partial) == before


@given(WHOLE, PARTIAL)
def test_a_second_time_changes_nothing(pod: Any, partial: Any) -> None:
    once = overlay(pod, partial)
    assert overlay(once, partial) == once


@given(WHOLE)
def test_a_pod_over_nothing_and_nothing_over_a_pod_are_the_pod(pod: Any) -> None:
    assert overlay({}, pod) == pod == overlay(pod, {})


@given(WHOLE, PARTIAL)
def test_what_is_not_named_is_the_very_same_object(pod: Any, partial: Any) -> None:
    merged: Any = overlay(pod, partial)
    for section, members in pod.items():
        for key, value in members.items():
            if key not in (partial.get(section) or {}):
                assert merged[section][key] is value


@given(data=st.data())
def test_any_json_is_laid_over_any_json_or_refused(data: st.DataObject, any_json: st.SearchStrategy[Any]) -> None:
    wild = st.dictionaries(st.sampled_from(["metadata", "spec", "containers", "$patch", "$retainKeys"]), any_json)
    try:
        merged = overlay(data.draw(any_json | WHOLE), data.draw(any_json | wild | PARTIAL))
    except Invalid:
        return
    assert not isinstance(merged, dict) or "$patch" not in bare(merged)
