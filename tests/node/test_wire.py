"""What the plugin sends and gets back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.cni import CniRefused
from node.wire import answer, question

NAMES = st.from_regex(r"CNI_[A-Z]{1,8}", fullmatch=True)
VALUES = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=20)


@given(st.dictionaries(NAMES, VALUES, max_size=6), st.binary(max_size=50))
def test_variables_and_configuration_arrive_as_they_were_sent(variables: dict[str, str], configuration: bytes) -> None:
    sent = b"".join(f"{name}={value}".encode() + b"\0" for name, value in variables.items()) + b"\0" + configuration
    assert question(sent) == (variables, configuration)


@given(st.binary(max_size=50).filter(lambda sent: not sent.startswith(b"\0") and b"\0\0" not in sent))
def test_half_a_question_is_refused(sent: bytes) -> None:
    with pytest.raises(CniRefused, match="not whole"):
        question(sent)


def test_an_answer_ends_where_it_says() -> None:
    assert answer(0) == b"\0\0"
    assert answer(1, b"{}") == b"\1{}\0"
