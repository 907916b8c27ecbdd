"""Operations applied here are what another library applies, and leave alone what they do not touch."""

import copy
import json
from typing import Any

import jsonpatch
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa.errors import Invalid
from proa.trees import same
from webhook.operations import Add, Operation, Remove, applied, encoded, pointer

TOKENS = st.sampled_from(["a", "b", "a/b", "~1", "0", "1", "2", "-", "01", "", "\u00b2"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.just(1.0),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TOKENS, inner, max_size=3),
    max_leaves=8,
)
PATHS = st.lists(TOKENS, min_size=1, max_size=3).map(lambda tokens: pointer(*tokens))
OPERATIONS = st.builds(Add, PATHS, VALUES.map(encoded)) | st.builds(Remove, PATHS)

LISTS = st.lists(OPERATIONS, min_size=1, max_size=3)


def by_another_library(value: Any, operations: list[Operation]) -> Any:
    return jsonpatch.apply_patch(value, json.loads(msgspec.json.encode(operations)))


@given(VALUES.filter(lambda value: isinstance(value, dict | list)), LISTS)
def test_what_applies_applies_as_elsewhere_and_all_else_is_refused(value: Any, operations: list[Operation]) -> None:
    before = copy.deepcopy(value)
    try:
        expected = by_another_library(value, operations)
    except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException, TypeError):
        with pytest.raises(Invalid):
            applied(value, operations)
    else:
        assert same(applied(value, operations), expected)
    assert same(value, before)


def test_what_is_not_touched_is_the_same_object() -> None:
    value: Any = {"a": [{"b": 1}, {"c": 2}], "d": {"e": 3}}
    result: Any = applied(value, [Add("/a/0/b", encoded(4)), Remove("/a/1/c")])
    assert result == {"a": [{"b": 4}, {}], "d": {"e": 3}}
    assert result["d"] is value["d"]


def test_an_operation_that_does_not_fit_is_named_by_its_path() -> None:
    with pytest.raises(Invalid, match=r"/a/5: found an operation for what is not there \(remove\)"):
        applied({"a": []}, [Remove("/a/5")])
