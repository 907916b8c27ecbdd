"""Refusals take no more of the log than they may, whoever asks how often; and none goes uncounted."""

from hypothesis import given
from hypothesis import strategies as st

from ca.istio.limits import Rate
from ca.istio.lines import Lines

ASKED = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 4)), max_size=200)


@given(ASKED)
def test_every_refusal_is_a_line_or_is_told_by_the_sources_next_one(asked: list[tuple[str, int]]) -> None:
    lines, now = Lines(Rate(3, 10.0), Rate(8, 2.0)), 0.0
    told, refused = dict.fromkeys("abc", 0), dict.fromkeys("abc", 0)
    for source, pause in asked:
        now += pause
        refused[source] += 1
        withheld = lines.withheld(source, now)
        if withheld is not None:
            told[source] += withheld + 1
            assert told[source] == refused[source], "what was left out before is in it"
    for source in "abc":
        later = lines.withheld(source, now + 1000)
        assert later == refused[source] - told[source]


@given(ASKED)
def test_of_one_source_and_of_all_there_are_never_more_than_their_rates_allow(asked: list[tuple[str, int]]) -> None:
    lines, now, at = Lines(Rate(3, 10.0), Rate(5, 2.0)), 0.0, list[tuple[float, str]]()
    for source, pause in asked:
        now += pause
        if lines.withheld(source, now) is not None:
            at.append((now, source))
    for begin, _ in at:
        within = [source for moment, source in at if begin <= moment < begin + 10]
        assert len(within) <= 5 + 10 / 2
        assert all(within.count(source) <= 3 + 1 for source in "abc")


def test_memory_is_bounded_whatever_number_of_addresses_asks() -> None:
    lines = Lines(Rate(1, 1e6), Rate(1, 1e6))
    for number in range(30_000):
        lines.withheld(str(number), 0.0)
    assert len(lines._withheld) == 20_000  # noqa: SLF001 - what is kept is what this is about
