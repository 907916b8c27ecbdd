"""Spans hold the same numbers however they are written, and read what they spell."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa.capture.spans import Spans, holds, inside, merged, read_spans, spelled

small = st.integers(0, 60)
spans = st.lists(st.tuples(small, small).map(lambda two: (min(two), max(two))), max_size=8).map(tuple)


def numbers(given_spans: Spans) -> set[int]:
    return {number for first, last in given_spans for number in range(first, last + 1)}


@given(spans)
def test_merging_keeps_the_numbers_and_leaves_no_two_that_touch(given_spans: Spans) -> None:
    result = merged(given_spans)
    assert numbers(result) == numbers(given_spans)
    assert all(later[0] > earlier[1] + 1 for earlier, later in pairwise(result))


@given(spans, small, small)
def test_a_span_is_inside_when_all_its_numbers_are(given_spans: Spans, one: int, other: int) -> None:
    span = (min(one, other), max(one, other))
    assert inside(span, given_spans) is (numbers((span,)) <= numbers(given_spans))
    assert holds(given_spans, one) is (one in numbers(given_spans))


@given(spans)
def test_what_is_spelled_is_read_again(given_spans: Spans) -> None:
    assert read_spans(spelled(given_spans)) == given_spans


@pytest.mark.parametrize("text", ["1,,2", "1-", "-1", "a", "1-2-3", "\u00b2", "99999999999", " 1", "1 "])
def test_anything_else_is_no_span(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - it has no words: the caller knows what is allowed
        read_spans(text)
