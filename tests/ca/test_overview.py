"""An admin sees every certificate with its role in each phase, what comes next, and what has to be mended."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ca.overview import Overview, advanced, check_abortable, check_startable, overview
from ca.phases import Abort, Advance, Garbled, Preparing, Resting, Start, record_of, wish_of
from ca.trust import TRUST_BUNDLE_NAME
from ca.writes import Found
from kube.resources import CLUSTER_TRUST_BUNDLES
from proa.errors import Invalid
from support.rotated import Cluster

HOUR = timedelta(hours=1)


def found(cluster: Cluster) -> Found:
    record, wish = record_of(cluster.secret), wish_of(cluster.secret)
    return Found(cluster.material, record, wish, cluster.keys, cluster.published)


def told(cluster: Cluster) -> Overview:
    return overview(found(cluster), cluster.now)


def test_each_phase_says_who_is_who_and_what_comes_next() -> None:
    cluster, seen = Cluster(), dict[str, tuple[list[str], str]]()
    cluster.wish(Start())
    for _ in range(60):
        cluster.look()
        one = told(cluster)
        assert one.sound
        seen[one.phase] = [each.role for each in one.holdings], one.told
        cluster.publish()
        cluster.look()
        cluster.passes(HOUR)
    assert [*seen] == ["announced", "settling", "renewing", "resting"]
    assert seen["announced"][0] == seen["settling"][0] == ["issuer", "root, issues", "root, next"]
    assert seen["renewing"][0] == ["issuer", "root, retiring", "root, issues"]
    assert seen["resting"][0] == ["issuer", "root, issues"]
    assert "when all pods have it" in seen["settling"][1]
    assert "with its last leaf" in seen["renewing"][1]


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 4200 * 24),
    st.sampled_from(["none", "settling", "renewing"]),
    st.sampled_from([None, Start(), Abort()]),
)
def test_whenever_it_is_looked_at_problems_are_told_exactly_where_there_are_some(
    hours: int, phase: str, wish: Start | Abort | None
) -> None:
    cluster = Cluster()
    if phase != "none":
        cluster.wish(Start())
        cluster.look()
        cluster.publish()
        cluster.look()
    if phase == "renewing":
        cluster.wish(Advance("settling"))
        cluster.look()
    if wish is not None:
        cluster.wish(wish)
    cluster.passes(hours * HOUR)
    one = told(cluster)
    assert one.sound == (hours < 67 * 24 + 12), "an issuer of 90 days is reported with a quarter left"
    assert (one.wish == "") == (wish is None)
    assert all(each.left == "expired" or each.not_after > cluster.now for each in one.holdings)


def test_roots_that_pods_are_not_given_are_a_problem() -> None:
    cluster = Cluster()
    cluster.etcd.objects.pop(f"{CLUSTER_TRUST_BUNDLES.root}/clustertrustbundles/{TRUST_BUNDLE_NAME}")
    missing = Found(cluster.material, cluster.record, None, cluster.keys, ())
    assert "not given every root" in overview(missing, cluster.now).problems[0]


def test_a_wish_that_is_none_is_shown_as_what_it_is() -> None:
    cluster = Cluster()
    cluster.annotate({"proa.dev/rotate": "soon"})
    assert isinstance(cluster.asked, Garbled)
    assert told(cluster).wish == "garbled"


def test_what_the_leader_would_decline_is_refused_beforehand() -> None:
    for refuse in (lambda: advanced(Resting()), lambda: advanced(Preparing(HOUR)), lambda: check_abortable(Resting())):
        with pytest.raises(Invalid):
            refuse()
    cluster = Cluster()
    check_startable(found(cluster))
    offline = Found(cluster.material, cluster.record, None, (), cluster.published)
    with pytest.raises(Invalid, match=r"add the next root to ca\.crt"):
        check_startable(offline)
