import re
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from installation.noted import Noted
from installation.render.variants import Axis, Merging
from installation.render.yaml_text import When

AXES = tuple(Axis(name, {value: f"{name}={value}" for value in "abc"[:count]}) for name, count in (("x", 3), ("y", 2)))
VARIANTS = list(product("abc", "ab"))
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.sampled_from(["s", "t"]) | st.booleans(),
    lambda inner: (
        st.lists(inner, min_size=1, max_size=3)
        | st.dictionaries(st.sampled_from("pqr"), inner, min_size=1, max_size=3)
        | st.builds(Noted, st.sampled_from(["m", "n"]), inner)
    ),
    max_leaves=8,
)


def untold(_: object) -> None:
    """No text stands for differing ones."""


def holds(condition: str, variant: tuple[str, ...]) -> bool:
    """What a template engine would answer: prefix operators over comparisons with an axis' value."""
    if not condition:
        return True
    if condition.startswith(("and ", "or ", "not ")):
        operator, _, rest = condition.partition(" ")
        answers = [holds(each, variant) for each in operands(rest)]
        return {"and": all(answers), "or": any(answers), "not": not answers[0]}[operator]
    name, value = condition.split("=")
    return variant["xy".index(name)] == value


def operands(text: str) -> list[str]:
    """The contents of the outermost pairs of parentheses."""
    found, depth, start = [], 0, 0
    for position, character in enumerate(text):
        depth += {"(": 1, ")": -1}.get(character, 0)
        if character == "(" and depth == 1:
            start = position + 1
        if character == ")" and depth == 0:
            found.append(text[start:position])
    return found


def rendered(template: Any, variant: tuple[str, ...]) -> Any:
    """What *template* gives in *variant*; a member whose cases all fail is not there."""
    match template:
        case When(cases=cases):
            met = [value for condition, value in cases if holds(condition, variant)]
            return rendered(met[0], variant) if met else ...
        case Noted():
            return Noted(template.note, rendered(template.value, variant))
        case dict():
            members = {key: rendered(value, variant) for key, value in template.items()}
            return {key: value for key, value in members.items() if value is not ...}
        case list():
            return [rendered(each, variant) for each in template]
        case _:
            return template


@given(st.fixed_dictionaries(dict.fromkeys(VARIANTS, VALUES)))
def test_a_template_gives_back_every_variant_it_was_made_of(values: dict[tuple[str, ...], Any]) -> None:
    try:
        template = Merging(AXES, untold).merged(values)
    except ValueError:
        # A member that is there in cases that no conjunction describes; the next test says which those are.
        return
    for variant, value in values.items():
        assert rendered(template, variant) == value


@given(st.sets(st.sampled_from("abc"), min_size=1), st.sets(st.sampled_from("ab"), min_size=1))
def test_what_is_there_by_independent_choices_has_a_condition(first: set[str], second: set[str]) -> None:
    present = set(product(first, second))
    condition = Merging(AXES, untold).presence(present, VARIANTS)
    assert {variant for variant in VARIANTS if holds(condition, variant)} == present


def test_what_is_there_by_choices_that_hang_together_is_refused() -> None:
    with pytest.raises(ValueError, match=re.escape("no conjunction")):
        Merging(AXES, untold).presence({("a", "a"), ("b", "b")}, VARIANTS)


def test_what_never_differs_has_no_condition() -> None:
    assert Merging(AXES, untold).merged({variant: {"p": ["s"]} for variant in VARIANTS}) == {"p": ["s"]}


def test_what_differs_does_so_under_the_one_choice_it_hangs_on() -> None:
    values = {variant: {"p": variant[1], "q": "s"} for variant in VARIANTS}
    assert Merging(AXES, untold).merged(values) == {"p": When((("y=a", "a"), ("", "b"))), "q": "s"}


def test_a_choice_that_another_ones_condition_holds_for_is_not_named_beside_it() -> None:
    narrow = Axis("x", {"": "false", "c": "x=a and more", "a": "x=a", "b": "x=b"}, {"c": "a"})
    merging = Merging((narrow,), untold)
    everything = merging.variants()
    assert merging.presence([("a",), ("c",)], everything) == "x=a"
    assert merging.presence([("c",)], everything) == "x=a and more"
    assert merging.presence([("a",), ("b",), ("c",)], everything) == "or (x=a) (x=b)"
