"""What was changed is undone exactly, by a record, and made by edits that touch nothing else."""

import copy
import json
from random import Random
from typing import Any

import jsonpatch
import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from proa.errors import Invalid
from proa.overlay import overlay
from support.partials import PARTIAL, WHOLE
from webhook.difference import difference, edits, undone


def same(one: Any, other: Any) -> bool:
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def through_json(record: Any) -> Any:
    return json.loads(json.dumps(record))


def made(before: Any, after: Any) -> Any:
    """*before* with the edits made by a library that is not ours."""
    return jsonpatch.apply_patch(before, json.loads(msgspec.json.encode(tuple(edits(before, after)))))


@given(WHOLE, WHOLE)
def test_any_pod_becomes_any_other_and_comes_back(before: Any, after: Any) -> None:
    assert same(made(before, after), after)
    assert same(undone(through_json(difference(before, after)), after), before)


@given(WHOLE, st.lists(PARTIAL, max_size=3))
def test_any_templates_are_undone(before: Any, partials: list[Any]) -> None:
    after = before
    for partial in partials:
        after = overlay(after, partial)
    assert same(made(before, after), after)
    assert same(undone(through_json(difference(before, after)), after), before)


@given(data=st.data())
def test_any_json_becomes_any_other_and_comes_back(data: st.DataObject, any_json: st.SearchStrategy[Any]) -> None:
    wild = st.dictionaries(st.sampled_from(["metadata", "spec", "labels", ""]), any_json | WHOLE)
    lists = st.fixed_dictionaries({"spec": st.dictionaries(st.sampled_from(["containers", "volumes"]), any_json)})
    before, after = data.draw(wild | lists), data.draw(wild | lists)
    assert same(made(before, after), after)
    assert same(undone(through_json(difference(before, after)), after), before)


@given(WHOLE, st.lists(PARTIAL, max_size=2), st.randoms(use_true_random=False))
def test_a_record_is_the_same_whatever_the_order_of_members(before: Any, partials: list[Any], random: Random) -> None:
    def shuffled(value: Any) -> Any:
        if isinstance(value, list):
            return [*map(shuffled, value)]
        members = [*value.items()] if isinstance(value, dict) else None
        if members is None:
            return value
        random.shuffle(members)
        return {key: shuffled(each) for key, each in members}

    def record(pod: Any) -> Any:
        after = pod
        for partial in partials:
            after = overlay(after, partial)
        return difference(pod, after)

    assert same(record(before), record(shuffled(before)))


@given(WHOLE)
def test_a_pod_does_not_differ_from_itself(pod: Any) -> None:
    assert difference(pod, copy.deepcopy(pod)) == {}
    assert tuple(edits(pod, copy.deepcopy(pod))) == ()


@given(WHOLE, PARTIAL, st.sampled_from(["containers", "initContainers", "volumes", "imagePullSecrets"]))
def test_what_others_add_in_between_stays(before: Any, partial: Any, listed: str) -> None:
    after: Any = overlay(before, partial)
    record = through_json(difference(before, after))
    # Who takes a whole list or mapping away and finds another in its place, sees the one that was come back.
    assume("was" not in record.get("in", {}).get("metadata", {}) and "was" not in record.get("in", {}).get("spec", {}))
    later = copy.deepcopy(after)
    later.setdefault("metadata", {}).setdefault("labels", {})["other.dev/mark"] = "x"
    later.setdefault("spec", {}).setdefault(listed, []).insert(0, {"name": "foreign"})
    restored = undone(record, later)
    assert restored["metadata"]["labels"].pop("other.dev/mark") == "x"
    places = [item["name"] for item in restored["spec"][listed]]
    assert sorted([*(item["name"] for item in before.get("spec", {}).get(listed, [])), "foreign"]) == sorted(places)


def test_a_record_names_what_is_new_and_holds_what_was() -> None:
    before = {
        "spec": {
            "containers": [{"name": "app", "image": "web:1"}, {"name": "proa-proxy", "image": "auto"}, {"name": "log"}],
            "volumes": None,
        }
    }
    after: Any = {
        "metadata": {"labels": {"tier": "web"}},
        "spec": {
            "containers": [{"name": "app", "image": "web:2", "env": [{"name": "A"}], "tty": True}, {"name": "log"}],
            "volumes": [{"name": "data"}],
        },
    }
    app = {
        "absent": ["tty"],
        "was": {"image": "web:1"},
        "in": {"env": {"by": "name", "absent": ["A"], "before": "absent"}},
    }
    assert difference(before, after) == {
        "in": {
            "metadata": {"in": {"labels": {"absent": ["tier"], "before": "absent"}}, "before": "absent"},
            "spec": {
                "in": {
                    "containers": {
                        "by": "name",
                        "was": [["app", {"name": "proa-proxy", "image": "auto"}]],
                        "in": [["app", app]],
                    },
                    "volumes": {"by": "name", "absent": ["data"], "before": "null"},
                }
            },
        }
    }


def test_a_list_whose_items_have_no_key_of_their_own_comes_back_as_a_whole() -> None:
    ports = [{"containerPort": 53, "protocol": "TCP"}, {"containerPort": 53, "protocol": "UDP"}]
    pod = {"spec": {"containers": [{"name": "dns", "ports": ports}]}}
    changed = overlay(pod, {"spec": {"containers": [{"name": "dns", "ports": [{"containerPort": 53, "name": "dns"}]}]}})
    assert undone(difference(pod, changed), changed) == pod
    assert made(pod, changed) == changed


def test_the_size_of_a_record_and_of_the_edits_is_that_of_what_changed() -> None:
    env = [{"name": f"V{number}", "value": "x" * 100} for number in range(2000)]
    pod: Any = {"spec": {"containers": [{"name": "app", "env": env}]}}
    changed: Any = overlay(pod, {"spec": {"containers": [{"name": "app", "env": [{"name": "NEW", "value": "1"}]}]}})
    assert len(json.dumps(difference(pod, changed))) < 150
    assert len(msgspec.json.encode(tuple(edits(pod, changed)))) < 150


@pytest.mark.parametrize(
    "current", [{}, {"spec": None}, {"spec": {"containers": {}}}, {"spec": {"containers": [5, {"name": []}]}}]
)
def test_a_pod_that_became_something_else_is_no_hindrance(current: Any) -> None:
    record = difference(
        {"spec": {"containers": [{"name": "app", "image": "a"}]}},
        {"spec": {"containers": [{"name": "app", "image": "b"}]}},
    )
    assert undone(record, current) == current


@given(PARTIAL)
def test_a_partial_pod_is_laid_over_nothing_and_taken_away(partial: Any) -> None:
    try:
        after: Any = overlay({}, partial)
    except Invalid:
        return
    assert undone(difference({}, after), after) == {}
