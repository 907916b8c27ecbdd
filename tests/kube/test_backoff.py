"""Times between attempts."""

from hypothesis import given
from hypothesis import strategies as st

from kube.backoff import FIRST_SECONDS, MOST_SECONDS, delay, wait
from kube.failures import ApiRefused

CHANCE = st.floats(0, 1, exclude_max=True)


@given(st.integers(0, 10_000_000), CHANCE)
def test_no_wait_is_shorter_than_half_the_first_or_longer_than_the_most(attempt: int, chance: float) -> None:
    assert FIRST_SECONDS / 2 <= delay(attempt, chance) < MOST_SECONDS + 1e-9


@given(st.integers(0, 100), CHANCE)
def test_more_failures_wait_no_less(attempt: int, chance: float) -> None:
    assert delay(attempt + 1, chance) >= delay(attempt, chance)


@given(st.integers(0, 20), CHANCE, st.floats(0, 1e9))
def test_what_the_api_server_asks_for_is_kept_up_to_a_minute(attempt: int, chance: float, asked: float) -> None:
    waited = wait(ApiRefused(429, "TooManyRequests", "", retry_after=asked), attempt, chance)
    assert min(asked, 60) <= waited <= 75


def test_those_that_are_asked_to_wait_as_long_do_not_come_back_together() -> None:
    overloaded = ApiRefused(429, "TooManyRequests", "", retry_after=10)
    assert [wait(overloaded, 0, chance) for chance in (0, 0.4, 0.8)] == [10, 11, 12]


def test_the_waits_of_a_long_outage() -> None:
    assert [delay(attempt, 0.5) for attempt in range(8)] == [0.375, 0.75, 1.5, 3, 6, 12, 22.5, 22.5]
