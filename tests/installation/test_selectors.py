from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from installation.selectors import keys, takes, unmet

KEYS = st.sampled_from(["a", "b"])
VALUES = st.sampled_from(["1", "2", ""])
LABELS = st.dictionaries(KEYS, VALUES)
EXPRESSIONS = st.fixed_dictionaries(
    {
        "key": KEYS,
        "operator": st.sampled_from(["In", "NotIn", "Exists", "DoesNotExist"]),
        "values": st.lists(VALUES, min_size=1),
    }
)


@pytest.mark.parametrize(
    ("selector", "labels", "taken"),
    [
        (None, {}, True),
        ({}, {"a": "1"}, True),
        ({"matchLabels": {"a": "1"}}, {"a": "1", "b": "2"}, True),
        ({"matchLabels": {"a": "1"}}, {"a": "2"}, False),
        ({"matchExpressions": [{"key": "a", "operator": "In", "values": ["1"]}]}, {}, False),
        ({"matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["1"]}]}, {}, True),
        ({"matchExpressions": [{"key": "a", "operator": "Exists"}]}, {"a": ""}, True),
        ({"matchExpressions": [{"key": "a", "operator": "DoesNotExist"}]}, {"a": ""}, False),
        ({"matchExpressions": [{"key": "a", "operator": "Gt", "values": ["1"]}]}, {"a": "2"}, False),
    ],
)
def test_a_selector_takes_what_kubernetes_says_it_does(selector: Any, labels: dict[str, str], taken: bool) -> None:
    assert takes(selector, labels) is taken


@given(st.lists(EXPRESSIONS, max_size=3), LABELS, LABELS)
def test_a_selector_takes_labels_that_meet_each_of_its_requirements(
    expressions: list[dict[str, Any]], wanted: dict[str, str], labels: dict[str, str]
) -> None:
    selector: Any = {"matchLabels": wanted, "matchExpressions": expressions}
    parts: list[Any] = [{"matchLabels": {key: value}} for key, value in wanted.items()]
    parts += [{"matchExpressions": [each]} for each in expressions]
    assert takes(selector, labels) is all(takes(part, labels) for part in parts)
    assert len(list(unmet(selector, labels))) == sum(not takes(part, labels) for part in parts)


@given(EXPRESSIONS, LABELS)
def test_the_opposite_operator_takes_the_other_labels(expression: dict[str, Any], labels: dict[str, str]) -> None:
    opposite = {"In": "NotIn", "NotIn": "In", "Exists": "DoesNotExist", "DoesNotExist": "Exists"}
    other = {**expression, "operator": opposite[expression["operator"]]}
    assert takes({"matchExpressions": [expression]}, labels) is not takes({"matchExpressions": [other]}, labels)


def test_an_unmet_requirement_says_what_it_wants_and_what_it_found() -> None:
    selector: Any = {"matchExpressions": [{"key": "team", "operator": "In", "values": ["a", "b"]}]}
    assert list(unmet(selector, {"team": "c"})) == ["wants team in (a, b), found team=c"]
    assert list(unmet(selector, {})) == ["wants team in (a, b), found no such label"]


def test_the_keys_of_a_selector_are_all_the_labels_that_it_looks_at() -> None:
    selector: Any = {"matchLabels": {"a": "1"}, "matchExpressions": [{"key": "b", "operator": "Exists"}]}
    assert keys(selector) == {"a", "b"}
