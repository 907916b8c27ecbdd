"""DER framed and cut: what is framed comes back, and there is one way to write each value."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ca.der import OCTET_STRING, SEQUENCE, elements, framed, only, value
from ca.fields import fields
from proa.errors import Invalid

lengths = st.sampled_from([0, 1, 127, 128, 129, 255, 256, 257, 65535, 65536, 70000])
values = st.one_of(st.binary(max_size=300), lengths.map(lambda length: b"v" * length))
tags = st.integers(0, 0x1E).map(lambda number: number | 0x20)


@given(st.lists(st.tuples(tags, values), max_size=6))
def test_what_was_framed_is_cut_into_the_same(parts: list[tuple[int, bytes]]) -> None:
    framed_parts = [framed(tag, content) for tag, content in parts]
    assert elements(b"".join(framed_parts)) == framed_parts
    assert [value(each, each[0]) for each in framed_parts] == [content for _, content in parts]


@given(st.binary(max_size=40))
def test_whatever_can_be_cut_is_written_in_the_one_way(data: bytes) -> None:
    try:
        found = elements(data)
    except Invalid:
        return
    assert b"".join(framed(each[0], value(each, each[0])) for each in found) == data


@pytest.mark.parametrize(
    "wrong",
    ["04", "0401", "0480", "048101", "04817f" + "00" * 127, "04820080" + "00" * 128, "0484000000ff", "0485ffffffffff"],
)
def test_a_length_that_is_missing_endless_too_long_or_longer_than_it_must_be_is_refused(wrong: str) -> None:
    with pytest.raises(Invalid):
        elements(bytes.fromhex(wrong))


def test_one_element_is_one_and_of_its_tag() -> None:
    assert only(framed(SEQUENCE, b"ab"), SEQUENCE) == b"ab"
    for data in (b"", framed(SEQUENCE, b"") * 2, framed(OCTET_STRING, b"")):
        with pytest.raises(Invalid):
            only(data, SEQUENCE)


@given(st.binary(max_size=200).map(lambda content: framed(SEQUENCE, content)))
def test_what_is_no_certificate_has_no_fields(data: bytes) -> None:
    with pytest.raises(Invalid):
        fields(data)
