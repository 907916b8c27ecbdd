"""An issuer is renewed a month before its end, somebody is told three weeks before, and never too early."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ca.authority import new_intermediate, new_root
from ca.material import Material
from ca.profile import INTERMEDIATE_LIFETIME, ROOT_LIFETIME
from ca.renewal import Renew, Rest, alarms, pause_after, renewal
from proa.identity import TrustDomain

DAY = timedelta(days=1)


@pytest.fixture
def material(trust_domain: TrustDomain, clock: Any) -> Material:
    root = new_root(trust_domain, clock())
    return Material(new_intermediate(trust_domain, root, clock()), (root.issuing.certificate,))


def test_who_fails_again_waits_longer_up_to_ten_minutes_and_as_long_as_was_asked() -> None:
    waits = [pause_after(failures).total_seconds() for failures in (1, 2, 3, 7, 10_000)]
    assert waits == [10, 20, 40, 600, 600]
    asked = [pause_after(1, seconds).total_seconds() for seconds in (0, 7, 60, 1e9)]
    assert asked == [10, 10, 60, 1800]


def test_a_young_issuer_rests_until_a_third_of_its_life_is_left(material: Material, clock: Any) -> None:
    decided = renewal(clock(), material)
    assert decided == Rest(material.issuer.issuing.validity.not_after - INTERMEDIATE_LIFETIME / 3)


@pytest.mark.parametrize(("days", "expected"), [(59, Rest), (60, Renew), (89, Renew), (400, Renew)])
def test_an_issuer_is_renewed_from_its_sixtieth_day_on(
    material: Material, clock: Any, days: int, expected: type
) -> None:
    assert isinstance(renewal(clock() + days * DAY, material), expected)


def test_an_issuer_that_ends_with_its_root_is_not_renewed_for_nothing(trust_domain: TrustDomain, clock: Any) -> None:
    root = new_root(trust_domain, clock())
    late = clock() + ROOT_LIFETIME - 10 * DAY
    last = Material(new_intermediate(trust_domain, root, late), (root.issuing.certificate,))
    assert last.issuer.issuing.validity.not_after == root.issuing.validity.not_after
    assert isinstance(renewal(late + 9 * DAY, last), Rest)


def test_nothing_is_said_while_everything_has_long_to_live(material: Material, clock: Any) -> None:
    assert alarms(clock() + 60 * DAY, material) == ()


def test_an_issuer_that_nobody_renewed_is_reported_three_weeks_before_its_end(material: Material, clock: Any) -> None:
    (alarm,) = alarms(clock() + 68 * DAY, material)
    assert alarm.end == material.issuer.issuing.validity.not_after
    assert "the issuing certificate ends at 2026-05-30" in str(alarm)
    assert "proa-ca-root" in str(alarm)


def test_a_root_is_reported_two_years_before_its_end(trust_domain: TrustDomain, clock: Any) -> None:
    root = new_root(trust_domain, clock())
    late = clock() + timedelta(days=2925)
    material = Material(new_intermediate(trust_domain, root, late), (root.issuing.certificate,))
    (alarm,) = alarms(late, material)
    assert alarm.what == "the root"
    assert alarm.end == root.issuing.validity.not_after


BEGIN = datetime.fromisoformat("2026-03-01T12:00:00+00:00")
ROOT = new_root(TrustDomain("cluster.local"), BEGIN)
YOUNG = Material(new_intermediate(TrustDomain("cluster.local"), ROOT, BEGIN), (ROOT.issuing.certificate,))


@given(st.timedeltas(timedelta(0), 400 * DAY))
def test_what_rests_is_looked_at_again_before_its_end(passed: timedelta) -> None:
    end = YOUNG.issuer.issuing.validity.not_after
    match renewal(BEGIN + passed, YOUNG):
        case Rest(until):
            assert BEGIN + passed < until < end
        case Renew():
            assert BEGIN + passed >= end - INTERMEDIATE_LIFETIME / 3
