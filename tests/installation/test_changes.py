from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from installation.changes import Change, Difference, Keep, Title, change, title

JSON: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("ab/.", min_size=1, max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


def configmap(data: Any, **metadata: Any) -> Any:
    return {"kind": "ConfigMap", "metadata": {"name": "a", "namespace": "b", **metadata}, "data": data}


def differences(before: Any, after: Any) -> tuple[Difference, ...]:
    found = change(before, after)
    assert isinstance(found, Change)
    return found.differences


def test_an_object_is_named_by_kind_namespace_and_name() -> None:
    assert str(title(configmap({}))) == "ConfigMap b/a"
    assert str(Title("Namespace", "", "b")) == "Namespace b"


def test_what_the_server_keeps_is_no_change() -> None:
    before = {**configmap({}, resourceVersion="1", uid="x", managedFields=[]), "status": {"a": 1}}
    assert change(before, configmap({}, resourceVersion="2", generation=3)) == Keep(title(before))


def test_a_changed_field_is_told_by_its_path_and_both_values() -> None:
    before, after = configmap({"a": {"b.c": [1, 2]}}), configmap({"a": {"b.c": [1, 3, 4]}})
    assert differences(before, after) == (
        Difference("data.a['b.c'][1]", "2", "3"),
        Difference("data.a['b.c'][2]", "", "4"),
    )


def test_of_a_text_of_several_lines_the_lines_that_differ_are_told() -> None:
    before, after = configmap({"mesh.yaml": "a: 1\nb: 2\nc: 3\n"}), configmap({"mesh.yaml": "a: 1\nb: 4\nc: 3\n"})
    assert differences(before, after) == (Difference("data['mesh.yaml'] line 2", "'b: 2'", "'b: 4'"),)


@given(JSON)
def test_an_object_that_is_as_it_should_be_is_kept(data: Any) -> None:
    assert isinstance(change(configmap(data), configmap(data)), Keep)


@given(JSON, JSON)
def test_a_change_is_told_exactly_where_something_differs(before: Any, after: Any) -> None:
    found = change(configmap(before), configmap(after))
    assert isinstance(found, Keep) is _same(before, after)
    assert not isinstance(found, Change) or all(each.before != each.after for each in found.differences)


def _same(before: Any, after: Any) -> bool:
    """Kubernetes takes null for absence; and Python takes True for 1, which JSON does not."""
    if isinstance(before, dict) and isinstance(after, dict):
        return all(_same(before.get(key), after.get(key)) for key in before.keys() | after.keys())
    if isinstance(before, list) and isinstance(after, list):
        longest = max(len(before), len(after))
        padded = [values + [None] * (longest - len(values)) for values in (before, after)]
        return all(map(_same, *padded))
    return before == after
