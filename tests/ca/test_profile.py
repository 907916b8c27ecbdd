"""How long certificates live and what is in them before anybody signs."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ca.certificates import Validity
from ca.profile import (
    LONGEST_LEAF,
    SHORTEST_LEAF,
    IssuerNotValid,
    LifetimeRefused,
    ServingLeaf,
    WorkloadLeaf,
    authority_validity,
    leaf_validity,
)
from proa.errors import Refused
from proa.identity import TrustDomain, WorkloadIdentity

NOON = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
ISSUER = Validity(NOON - timedelta(days=1), NOON + timedelta(days=30))


def test_a_leaf_begins_a_minute_early_and_its_lifetime_counts_from_there() -> None:
    found = leaf_validity(NOON, 24 * HOUR, ISSUER)
    assert found == Validity(NOON - timedelta(seconds=60), NOON - timedelta(seconds=60) + 24 * HOUR)


def test_fractions_of_a_second_are_dropped() -> None:
    exact = leaf_validity(NOON, HOUR, ISSUER)
    assert leaf_validity(NOON + timedelta(microseconds=999_999), HOUR + timedelta(microseconds=1), ISSUER) == exact


def test_a_leaf_ends_no_later_than_its_issuer() -> None:
    late = ISSUER.not_after - 2 * HOUR
    assert leaf_validity(late, 24 * HOUR, ISSUER).not_after == ISSUER.not_after


def test_a_leaf_of_a_brand_new_issuer_begins_no_earlier_than_the_issuer() -> None:
    issuer = Validity(NOON - timedelta(seconds=5), NOON + timedelta(days=1))
    assert leaf_validity(NOON, HOUR, issuer).not_before == issuer.not_before


@pytest.mark.parametrize("lifetime", [timedelta(0), SHORTEST_LEAF - timedelta(seconds=1), -HOUR])
def test_a_lifetime_below_an_hour_is_refused(lifetime: timedelta) -> None:
    with pytest.raises(LifetimeRefused, match=r"allowed: 1:00:00 to 91 days"):
        leaf_validity(NOON, lifetime, ISSUER)


def test_a_lifetime_above_91_days_is_refused() -> None:
    with pytest.raises(LifetimeRefused):
        leaf_validity(NOON, LONGEST_LEAF + timedelta(seconds=1), ISSUER)


def test_the_shortest_lifetime_and_the_longest_are_both_allowed() -> None:
    issuer = Validity(ISSUER.not_before, NOON + timedelta(days=1000))
    assert leaf_validity(NOON, SHORTEST_LEAF, issuer).lifetime == SHORTEST_LEAF
    assert leaf_validity(NOON, LONGEST_LEAF, issuer).lifetime == LONGEST_LEAF


def test_an_expired_issuer_issues_nothing() -> None:
    with pytest.raises(IssuerNotValid):
        leaf_validity(ISSUER.not_after + timedelta(seconds=1), HOUR, ISSUER)


def test_an_issuer_of_the_future_issues_nothing() -> None:
    with pytest.raises(IssuerNotValid):
        leaf_validity(ISSUER.not_before - timedelta(seconds=1), 24 * HOUR, ISSUER)


def test_an_issuer_with_less_than_an_hour_left_issues_nothing_and_says_so() -> None:
    last = ISSUER.not_after - HOUR + timedelta(seconds=60)
    assert leaf_validity(last, HOUR, ISSUER).not_after == ISSUER.not_after
    with pytest.raises(IssuerNotValid, match="an hour or more left") as caught:
        leaf_validity(last + timedelta(seconds=1), HOUR, ISSUER)
    assert caught.value.code == "issuer_not_valid"


@given(st.timedeltas(-2 * HOUR, timedelta(days=40)), st.timedeltas(SHORTEST_LEAF, LONGEST_LEAF))
def test_every_leaf_keeps_the_bounds_that_kubernetes_checks(after: timedelta, lifetime: timedelta) -> None:
    now = NOON + after
    try:
        found = leaf_validity(now, lifetime, ISSUER)
    except IssuerNotValid:
        assert now + HOUR > ISSUER.not_after
        return
    assert SHORTEST_LEAF <= found.lifetime <= lifetime
    assert found.within(ISSUER)
    assert abs(found.not_before - now) < timedelta(minutes=5)
    assert found.not_before.microsecond == found.not_after.microsecond == 0


def test_an_authority_begins_a_minute_early_so_that_its_first_leaf_is_not_cut() -> None:
    issuer = authority_validity(NOON, timedelta(days=90))
    assert leaf_validity(NOON, HOUR, issuer).not_before == NOON - timedelta(seconds=60)


def test_a_serving_leaf_without_any_name_is_refused() -> None:
    with pytest.raises(Refused, match="at least one DNS name or address"):
        ServingLeaf()


def test_every_bad_dns_name_of_a_serving_leaf_is_named_at_once() -> None:
    with pytest.raises(Refused) as caught:
        ServingLeaf(("*.shop.svc", "good.svc", "UPPER.svc", "", "-a", "a..b", "a" * 64, "a.b\n", "é.svc"))
    found = [problem.found for problem in caught.value.problems]
    assert found == ["'*.shop.svc'", "'UPPER.svc'", "''", "'-a'", "'a..b'", repr("a" * 64), r"'a.b\n'", "'é.svc'"]


def test_leaves_print_what_they_prove() -> None:
    assert str(ServingLeaf(("a.svc",), (ip_address("::1"),))) == "a.svc, ::1"
    assert str(WorkloadLeaf(WorkloadIdentity(TrustDomain("td"), "n", "s"))) == "spiffe://td/ns/n/sa/s"
