from typing import Any

import jsonpatch
from hypothesis import given
from hypothesis import strategies as st

from proa.documents import as_yaml, node_of, plain, read
from proa.edits import added, removed
from webhook.operations import pointed, pointer

texts = st.text(st.characters(codec="utf-8", exclude_characters="\x00"))
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts
values = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(texts, inner), max_leaves=8)


@given(data=st.data())
def test_an_addition_is_what_another_json_patch_library_makes_of_it(data: st.DataObject) -> None:
    document = {"a": {"b": [1, {"c": None}]}, "d~/": "x"} | data.draw(st.dictionaries(texts, values, max_size=3))
    path = data.draw(
        st.sampled_from(
            [("a", "b", "0"), ("a", "b", "-"), ("a", "b", "1", "c"), ("a", "new"), ("d~/",), ("a",), ("a/b",)]
        )
    )
    value = data.draw(values)
    document["a"] = {"b": [1, {"c": None}]}
    patched = jsonpatch.apply_patch(document, [{"op": "add", "path": pointer(*path), "value": value}])
    assert plain(added(node_of(document), pointed(pointer(*path)), node_of(value))) == patched


def test_an_addition_through_an_alias_changes_one_place_only() -> None:
    (document,) = read("first: &shared {list: [1]}\nsecond: *shared\n")
    assert plain(added(document, ("second", "list", "-"), node_of(2))) == {
        "first": {"list": [1]},
        "second": {"list": [1, 2]},
    }


def test_an_addition_below_a_merge_key_keeps_what_was_merged() -> None:
    (document,) = read("base: &base {metadata: {name: a}}\npod: {<<: *base, spec: 1}\n")
    changed = plain(added(document, ("pod", "metadata", "labels"), node_of({"x": "y"})))
    assert changed == {
        "base": {"metadata": {"name": "a"}},
        "pod": {"metadata": {"name": "a", "labels": {"x": "y"}}, "spec": 1},
    }


PLACES = [("a", "b", "0"), ("a", "b", "1"), ("a", "b", "1", "c"), ("a", "b"), ("a",), ("d~/",)]


@given(extra=st.dictionaries(texts, values, max_size=3), path=st.sampled_from(PLACES))
def test_a_removal_is_what_another_json_patch_library_makes_of_it(extra: dict[str, Any], path: tuple[str, ...]) -> None:
    document = {**extra, "a": {"b": [1, {"c": None}]}, "d~/": "x"}
    patched = jsonpatch.apply_patch(document, [{"op": "remove", "path": pointer(*path)}])
    assert plain(removed(node_of(document), pointed(pointer(*path)))) == patched


def test_a_removal_through_an_alias_changes_one_place_only() -> None:
    (document,) = read("first: &shared {list: [1, 2]}\nsecond: *shared\n")
    assert plain(removed(document, ("second", "list", "0"))) == {"first": {"list": [1, 2]}, "second": {"list": [2]}}


def test_what_stays_keeps_its_text_and_its_place() -> None:
    (document,) = read("a: 0777\nb: 'x'\nc: {d: 1e3, e: 2}\nf: on\n")
    assert as_yaml([removed(removed(document, ("c", "e")), ("b",))]) == "a: 0777\nc: {d: 1e3}\nf: on\n"
