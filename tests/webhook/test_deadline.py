from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa.errors import Invalid
from webhook.deadline import DEFAULT_SECONDS, patience


@pytest.mark.parametrize(
    ("query", "seconds"),
    [
        ("timeout=5s", 5),
        ("timeout=1m0s", 30),
        ("timeout=1h0m0s", 30),
        ("timeout=2.5s", 2.5),
        ("timeout=250ms", 0.25),
        ("a=b&timeout=7s&c", 7),
        ("timeout=%35s", 5),
        ("", DEFAULT_SECONDS),
        ("mytimeout=5s", DEFAULT_SECONDS),
    ],
)
def test_the_callers_patience_is_read_from_its_url(query: str, seconds: float) -> None:
    assert patience(query) == seconds


@pytest.mark.parametrize(
    "said", ["", "5", "s", "-5s", "0s", "5s5s", "5 s", "1s2m", "nan", "\u0665s", "ms", "9999999999s"]
)
def test_what_is_no_duration_is_refused(said: str) -> None:
    with pytest.raises(Invalid, match=r"^timeout: found"):
        patience(f"timeout={said}")


@given(st.text())
def test_whatever_is_said_the_answer_is_bounded(query: str) -> None:
    with suppress(Invalid):
        assert 0 < patience(query) <= 30
