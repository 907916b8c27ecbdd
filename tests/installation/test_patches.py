from typing import Any

import jsonpatch
from hypothesis import given
from hypothesis import strategies as st

from installation.noted import Noted, plain
from installation.render.patches import operations

SCALARS = st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["", "a", "b"])
KEYS = st.sampled_from(["a", "b", "a/b", "~", "~1"])
TREES: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3) | st.builds(Noted, st.just("why"), inner)
    ),
    max_leaves=10,
)
OBJECTS = st.dictionaries(KEYS, TREES, max_size=4)


@given(OBJECTS, OBJECTS)
def test_the_operations_make_the_one_into_the_other(before: Any, after: Any) -> None:
    patch = [plain(each) for each in operations(before, after)]
    assert jsonpatch.apply_patch(plain(before), patch) == plain(after)


@given(OBJECTS)
def test_what_is_equal_needs_no_operation(tree: Any) -> None:
    assert list(operations(tree, plain(tree))) == []


def test_only_what_differs_is_replaced_and_its_note_goes_along() -> None:
    found = operations({"a": {"b": [1, 2], "c": 3}}, {"a": {"b": [1, Noted("more", 4)]}})
    assert list(found) == [
        {"op": "remove", "path": "/a/c"},
        Noted("more", {"op": "replace", "path": "/a/b/1", "value": 4}),
    ]
