"""A port is read from a variable, or refused by the variable's name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa.environment import port
from proa.errors import Invalid


@given(st.integers(1, 65535))
def test_a_port_is_what_its_variable_says(number: int) -> None:
    assert port({"PORT": str(number)}, "PORT", 80) == number


def test_a_variable_that_is_not_there_leaves_the_default() -> None:
    assert port({"OTHER": "81"}, "PORT", 80) == 80


@given(st.text().filter(lambda text: not (text.isascii() and text.isdecimal())) | st.integers(65536).map(str))
def test_anything_else_is_refused_by_the_variables_name(text: str) -> None:
    with pytest.raises(Invalid, match=r"PORT: .*a port from 1 to 65535"):
        port({"PORT": text}, "PORT", 80)
