import pickle
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa.errors import Invalid, ProaError, Problems, Refused, shown

COLOUR = Invalid("colour", "'red'", "blue")
SIZE = Invalid("size", "3", "1 or 2")


def test_an_invalid_value_says_where_what_and_what_else() -> None:
    assert str(COLOUR) == "colour: found 'red', allowed: blue"


def test_a_refusal_lists_every_problem_on_a_line_of_its_own() -> None:
    assert str(Refused("the boat", (COLOUR, SIZE))).splitlines() == [
        "the boat is not usable:",
        "  colour: found 'red', allowed: blue",
        "  size: found 3, allowed: 1 or 2",
    ]


def test_codes_are_stable() -> None:
    assert (ProaError.code, Invalid.code, Refused.code) == ("error", "invalid", "refused")


def test_a_field_is_named_from_its_parent() -> None:
    assert COLOUR.under("hull").under("boat").field == "boat.hull.colour"
    assert Invalid("", "3", "a mapping").under("hull").field == "hull"


@pytest.mark.parametrize("error", [COLOUR, Refused("the boat", (COLOUR, SIZE))])
def test_an_error_survives_pickling(error: Invalid | Refused) -> None:
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert type(copy) is type(error)
    assert str(copy) == str(error)


@pytest.mark.parametrize("error", [COLOUR, Refused("the boat", (COLOUR, SIZE))])
def test_an_error_passes_through_a_context_manager_unharmed(error: ProaError) -> None:
    """A frozen exception would become FrozenInstanceError here, as its traceback is set."""

    @contextmanager
    def anything() -> Iterator[None]:
        yield

    with pytest.raises(type(error)) as raised, anything():
        raise error
    assert raised.value is error


def test_an_error_can_be_a_member_of_a_set() -> None:
    assert {COLOUR, COLOUR, SIZE} == {SIZE, COLOUR}


def test_problems_of_several_sources_are_refused_together() -> None:
    problems = Problems()
    with problems.collected():
        raise COLOUR
    with problems.collected("sail"):
        raise SIZE
    with problems.collected("outrigger"):
        raise Refused("the outrigger", (COLOUR, SIZE))
    problems.add([Invalid("mast", "nothing", "a mast")])
    with pytest.raises(Refused) as refused:
        problems.refuse("the boat")
    assert refused.value.subject == "the boat"
    fields = [problem.field for problem in refused.value.problems]
    assert fields == ["colour", "sail.size", "outrigger.colour", "outrigger.size", "mast"]


def test_without_a_problem_nothing_is_refused() -> None:
    problems = Problems()
    with problems.collected():
        pass
    problems.refuse("the boat")
    assert not problems


def test_other_errors_are_not_collected() -> None:
    problems = Problems()
    with pytest.raises(KeyError), problems.collected():
        raise KeyError
    assert not problems


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "nothing"),
        (False, "false"),
        (True, "true"),
        ("", "''"),
        (3, "3"),
        ("a\nb", r"'a\nb'"),
        ("x" * 78, "'" + "x" * 78 + "'"),
        ("x" * 79, "'" + "x" * 79 + "… (81 characters)"),
    ],
)
def test_a_found_value_is_shown_on_one_short_line(value: object, text: str) -> None:
    assert shown(value) == text


def test_a_number_of_endless_digits_is_shown_all_the_same() -> None:
    assert shown(1 << 99_999) == "int too long to show"


def test_a_value_of_endless_brackets_is_shown_all_the_same() -> None:
    nested: list[object] = []
    for _ in range(100_000):
        nested = [nested]
    assert shown(nested) == "list too long to show"


@given(st.text(), st.integers(1, 200))
def test_any_text_is_shown_on_one_line_of_bounded_length(text: str, limit: int) -> None:
    line = shown(text, limit)
    assert len(line.splitlines()) == 1
    assert len(line) <= limit + len("… (999999 characters)")
