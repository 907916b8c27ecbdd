"""What is written on the Secret is read back; what somebody else wrote there harms nobody."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ca.phases import (
    PHASES,
    Abort,
    Advance,
    Announced,
    Garbled,
    Preparing,
    Record,
    Renewing,
    Resting,
    Settling,
    Start,
    name_of,
    record_of,
    recorded,
    wish_of,
    written,
)
from ca.profile import DEFAULT_LEAF

names = st.text("0123456789abcdef", min_size=64, max_size=64)
lives = st.integers(0, 91 * 86400).map(lambda seconds: timedelta(seconds=seconds))
moments = st.datetimes(datetime(2026, 1, 1), datetime(2060, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - as asked for
phases = st.one_of(
    st.just(Resting()),
    st.builds(Preparing, lives),
    st.builds(Announced, names, lives),
    st.builds(Settling, names, lives, moments),
    st.builds(Renewing, names, moments),
)
wishes = st.one_of(st.builds(Start, lives), st.builds(Advance, st.sampled_from(PHASES)), st.just(Abort()))
SECRET: Any = {"metadata": {"name": "proa-ca", "annotations": {"team": "security"}}, "data": {"tls.crt": "eA=="}}


@given(st.builds(Record, phases, lives), st.none() | wishes)
def test_a_record_and_a_wish_are_read_back_beside_what_else_stands_there(record: Record, wish: Any) -> None:
    noted: Any = recorded(SECRET, record, wish)
    assert (record_of(noted), wish_of(noted)) == (record, wish)
    assert noted["data"] == SECRET["data"]
    assert noted["metadata"]["annotations"]["team"] == "security"
    assert wish_of(recorded(noted, record)) is None


@given(st.text())
def test_what_is_no_record_counts_as_none_and_what_is_no_wish_is_said_to_be(text: str) -> None:
    secret: Any = {"metadata": {"annotations": {"proa.dev/rotation": text, "proa.dev/rotate": text}}}
    assert record_of(secret) == Record(Resting(), DEFAULT_LEAF)
    assert isinstance(wish_of(secret), Garbled)


@pytest.mark.parametrize(
    "phase",
    [
        '{"phase":"settling","next":"ab","settle":"PT0S","since":"2026-03-01T12:00:00"}',
        '{"phase":"renewing","retiring":"ab","since":"2026-03-01T12:00:00"}',
        '{"phase":"settling","next":"ab","settle":"P2999999D","since":"2026-03-01T12:00:00Z"}',
        '{"phase":"announced","next":"ab","settle":"P2999999D"}',
        '{"phase":"preparing","settle":"P2999999D"}',
    ],
)
def test_a_moment_of_no_time_zone_and_a_wait_of_ages_are_no_record_with_which_one_could_reckon(phase: str) -> None:
    secret: Any = {"metadata": {"annotations": {"proa.dev/rotation": f'{{"phase":{phase}}}'}}}
    assert record_of(secret) == Record()
    longest: Any = {"metadata": {"annotations": {"proa.dev/rotation": '{"longest":"P2999999D"}'}}}
    assert record_of(longest) == Record()


@pytest.mark.parametrize("secret", [None, {}, {"metadata": None}, {"metadata": {"annotations": None}}])
def test_a_secret_without_annotations_has_neither(secret: Any) -> None:
    assert (record_of(secret), wish_of(secret)) == (Record(), None)


def test_a_wish_is_what_an_admin_could_write_by_hand() -> None:
    assert written(Advance("settling")) == '{"wish":"advance","from_phase":"settling"}'
    by_hand: Any = {"metadata": {"annotations": {"proa.dev/rotate": '{"wish":"start"}'}}}
    assert wish_of(by_hand) == Start()


def test_each_phase_has_a_name_of_its_own() -> None:
    assert PHASES == ("resting", "preparing", "announced", "settling", "renewing")
    assert name_of(Resting()) == "resting"
