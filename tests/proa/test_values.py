"""Frozen values behave like the dataclasses they stand for."""

import pytest

from proa.capture.values import Value


class Point(Value):
    x: int
    y: int = 2


class Origin(Value):
    pass


class Pair(Value):
    x: int
    y: int = 2


def test_fields_are_given_by_place_by_name_or_by_default() -> None:
    assert Point(1) == Point(1, 2) == Point(x=1, y=2)
    assert (Point(1).x, Point(1).y) == (1, 2)


def test_values_are_equal_by_type_and_fields() -> None:
    assert Point(1) != Point(2)
    assert Point(1) != Pair(1)
    assert Origin() == Origin()
    assert len({Point(1), Point(1), Pair(1), Origin()}) == 3


def test_a_value_is_never_changed() -> None:
    point = Point(1)
    with pytest.raises(AttributeError, match="Point is frozen"):
        point.x = 5  # type: ignore[misc]
    with pytest.raises(AttributeError, match="Point is frozen"):
        del point.x
    assert point == Point(1)


@pytest.mark.parametrize(("given", "named"), [((), {}), ((1, 2, 3), {}), ((1,), {"x": 1}), ((1,), {"z": 1})])
def test_wrong_arguments_are_a_type_error(given: tuple[int, ...], named: dict[str, int]) -> None:
    with pytest.raises(TypeError, match="Point takes x, y"):
        Point(*given, **named)


def test_a_value_matches_by_place_and_prints_its_fields() -> None:
    match Point(1):
        case Point(x, y):
            assert (x, y) == (1, 2)
    assert repr(Point(1)) == "Point(x=1, y=2)"
    assert repr(Origin()) == "Origin()"
