"""Whatever is delayed, lost or stopped: no two lead at once, and somebody leads again."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kube.leases import TERMS, Candidate, Sight, Terms, claim, holder, open_to, release, sight
from kube.resources import Object
from proa.errors import Invalid

START = datetime(2026, 11, 24, tzinfo=UTC)
ANN, BOB = Candidate("proa-system", "proa-ca", "ann"), Candidate("proa-system", "proa-ca", "bob")


def spec(lease: Object) -> Object:
    found = lease["spec"]
    assert isinstance(found, dict)
    return found


def seen(lease: Object, since: float = 0) -> Sight:
    return sight(None, lease, since)


def test_a_lease_that_nobody_has_is_taken_and_says_by_whom_since_when() -> None:
    lease = claim(None, ANN, TERMS, START)
    assert lease == {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": "proa-ca", "namespace": "proa-system"},
        "spec": {
            "holderIdentity": "ann",
            "leaseDurationSeconds": 15,
            "acquireTime": "2026-11-24T00:00:00.000000Z",
            "renewTime": "2026-11-24T00:00:00.000000Z",
            "leaseTransitions": 0,
        },
    }


def test_a_renewal_changes_only_its_time_and_a_takeover_counts() -> None:
    lease = claim(None, ANN, TERMS, START)
    renewed = claim(lease, ANN, TERMS, START + timedelta(seconds=2))
    assert spec(renewed) == {**spec(lease), "renewTime": "2026-11-24T00:00:02.000000Z"}
    taken = spec(claim(renewed, BOB, TERMS, START + timedelta(seconds=20)))
    assert (taken["holderIdentity"], taken["leaseTransitions"]) == ("bob", 1)


def test_another_may_take_it_when_it_was_released_or_not_renewed_for_its_duration() -> None:
    lease = claim(None, ANN, TERMS, START)
    assert not open_to(BOB, seen(lease), 14.9)
    assert open_to(BOB, seen(lease), 15)
    assert open_to(ANN, seen(lease), 0)
    assert open_to(BOB, seen(release(lease, START)), 0)


def test_what_renews_nothing_is_no_sign_of_life() -> None:
    lease = claim(None, ANN, TERMS, START)
    labelled = {**lease, "metadata": {"name": "proa-ca", "resourceVersion": "9", "labels": {"team": "a"}}}
    assert sight(seen(lease), labelled, 10).since == 0
    assert sight(seen(lease), claim(lease, ANN, TERMS, START + timedelta(seconds=1)), 10).since == 10


@pytest.mark.parametrize("lease", [{}, {"spec": None}, {"spec": {}}, {"spec": {"holderIdentity": None}}])
def test_a_lease_that_says_nothing_is_anybodys(lease: Object) -> None:
    assert open_to(BOB, seen(lease), 0)
    assert holder(spec(claim(lease, BOB, TERMS, START))) == "bob"


@pytest.mark.parametrize("terms", [(15, 15.0, 1.0), (15, 10.0, 5.0), (15, 10.0, 0.0)])
def test_terms_under_which_two_could_lead_are_refused(terms: tuple[int, float, float]) -> None:
    with pytest.raises(Invalid, match="pause"):
        Terms(*terms)


@dataclass
class Process:
    """A candidate that follows the rules on a clock of its own."""

    me: Candidate
    skew: float
    sight: Sight | None = None
    pending: tuple[float, Object, int] | None = None
    """When it began, what it will write, and over which version."""
    until: float = float("-inf")
    """By its own clock: when it and what it leads have stopped, unless it renews before."""

    def leads(self, now: float) -> bool:
        return now + self.skew < self.until


@dataclass
class Room:
    """One Lease, written by compare and swap, and the processes that want it."""

    processes: list[Process]
    lease: Object | None = None
    version: int = 0

    def read(self, process: Process, now: float) -> None:
        mine = now + process.skew
        if self.lease is not None:
            process.sight = sight(process.sight, self.lease, mine)
            if not open_to(process.me, process.sight, mine):
                process.pending = None
                return
        wanted = claim(self.lease, process.me, TERMS, START + timedelta(seconds=mine))
        process.pending = (mine, wanted, self.version)

    def write(self, process: Process, *, answered: bool) -> None:
        if process.pending is None:
            return
        begun, wanted, version = process.pending
        process.pending = None
        if version == self.version:
            self.lease, self.version = wanted, version + 1
            if answered:
                process.until = begun + TERMS.duration

    def leading(self, now: float) -> list[str]:
        return [process.me.identity for process in self.processes if process.leads(now)]


STEPS = st.tuples(st.integers(0, 2), st.floats(0.1, 20), st.sampled_from(["read", "write", "write unanswered"]))


@given(st.lists(st.floats(-100, 100), min_size=2, max_size=3), st.lists(STEPS, max_size=60))
def test_no_two_lead_at_once_however_clocks_differ_and_calls_are_late_or_lost(
    skews: list[float], steps: list[tuple[int, float, str]]
) -> None:
    room, now = Room([Process(Candidate("n", "l", f"p{i}"), skew) for i, skew in enumerate(skews)]), 0.0
    for which, pause, what in steps:
        now += pause
        process = room.processes[which % len(skews)]
        if what == "read":
            room.read(process, now)
        else:
            room.write(process, answered=what == "write")
        assert len(room.leading(now)) <= 1
    # Whoever is left alone leads after a Lease's duration and one try more.
    for moment in (now, now + TERMS.duration + 1):
        room.read(room.processes[0], moment)
        room.write(room.processes[0], answered=True)
    assert room.leading(now + TERMS.duration + 1) == ["p0"]
