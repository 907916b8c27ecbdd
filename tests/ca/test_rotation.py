"""A root is replaced phase by phase: whoever dies at whichever write, it comes to its end, and no handshake fails."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ca.certificates import fingerprint, validity
from ca.creation import create
from ca.examination import key_kind
from ca.lint import faults
from ca.material import Material
from ca.phases import Abort, Advance, Announced, Renewing, Settling, Start
from ca.rotation import MARGIN, due
from ca.stored import material_secret, renewed_secret
from proa.mesh import IssuerKey
from support.rotated import DOMAIN, Cluster

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
LAG = timedelta(minutes=10)
"""Of a replica whose watch has died; less than the margin."""


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


def until_it_rests(cluster: Cluster, step: timedelta = HOUR) -> None:
    """Leader and publisher do their work from now on; pods renew at their half-life or are made anew."""
    for hour in range(400):
        cluster.publish()
        cluster.look()
        # One pod renews late, another one never; replica and node are as far behind as they may be.
        if hour % 5 < 3 or hour % 19 == 0:
            cluster.deliver(min(hour % 5, 3), lag=LAG, kubelets=2 * MINUTE)
        cluster.handshakes()
        if cluster.phase == "resting" and cluster.asked is None and set(cluster.keys) == {cluster.material.root}:
            cluster.publish()
            cluster.handshakes()
            return
        cluster.passes(step)
    pytest.fail(f"still {cluster.record}")


def phases_to(cluster: Cluster, phase: str) -> None:
    """Go on until *phase*, as fast as its waits allow."""
    for _ in range(200):
        cluster.publish()
        cluster.look()
        if cluster.phase == phase:
            return
        cluster.passes(HOUR)
    pytest.fail(f"never {phase}: {cluster.record}")


def test_a_root_rests_until_it_is_due(cluster: Cluster) -> None:
    before = cluster.material
    cluster.look()
    cluster.passes(due(before.root) - cluster.now - MINUTE)
    cluster.look()
    assert (cluster.phase, cluster.material) == ("resting", before)


def test_a_root_that_is_due_is_rotated_to_one_with_a_new_key_which_alone_is_left(cluster: Cluster) -> None:
    old = cluster.material.root
    cluster.passes(due(old) - cluster.now)
    until_it_rests(cluster)
    new = cluster.material.root
    assert new.public_key() != old.public_key()
    assert new.subject != old.subject
    assert cluster.material.roots == cluster.published == cluster.keys == (new,)
    assert validity(new).not_after > validity(old).not_after


def test_every_phase_is_seen_and_waits_as_long_as_a_leaf_may_live(cluster: Cluster) -> None:
    cluster.look()
    cluster.wish(Start())
    cluster.look()
    assert isinstance(cluster.record.phase, Announced), "nothing goes on before the next root is seen published"
    assert cluster.asked is None
    cluster.passes(HOUR)
    cluster.look()
    assert cluster.phase == "announced"
    cluster.publish()
    cluster.look()
    assert isinstance(cluster.record.phase, Settling)
    first = cluster.material.root
    for phase in ("settling", "renewing"):
        assert cluster.phase == phase
        cluster.passes(cluster.life + MARGIN - MINUTE)
        cluster.look()
        assert cluster.phase == phase
        cluster.passes(MINUTE)
        cluster.look()
        assert cluster.material.root != first
    assert cluster.phase == "resting"
    assert cluster.material.roots == cluster.keys


def test_the_next_root_issues_nothing_while_it_is_no_longer_published(cluster: Cluster) -> None:
    cluster.wish(Start())
    phases_to(cluster, "settling")
    cluster.etcd.put(
        {
            "apiVersion": "certificates.k8s.io/v1",
            "kind": "ClusterTrustBundle",
            "metadata": {"name": "proa.dev:workload:v1"},
            "spec": {"trustBundle": "somebody's"},
        }
    )
    cluster.passes(30 * HOUR)
    cluster.look()
    assert cluster.phase == "announced"
    cluster.publish()
    cluster.look()
    assert cluster.phase == "settling", "and the wait begins anew"


@pytest.mark.parametrize("kind", [IssuerKey.ECDSA_P384, IssuerKey.RSA_2048])
def test_another_kind_of_key_is_the_next_generations(cluster: Cluster, kind: IssuerKey) -> None:
    cluster.deliver(0)
    cluster.kind = kind
    cluster.wish(Start())
    until_it_rests(cluster)
    for each in (cluster.material.root, cluster.material.issuer.issuing.certificate):
        assert key_kind(each).replace(" ", "-").replace("P-", "P").lower() == kind
        assert faults(each) == ()


def test_a_configuration_that_was_lowered_shortens_no_leaf_that_is_out(cluster: Cluster) -> None:
    cluster.life = 100 * HOUR
    cluster.look()
    cluster.deliver(0)
    cluster.life = HOUR
    began = cluster.now
    cluster.wish(Start())
    until_it_rests(cluster)
    assert cluster.now - began > 200 * HOUR


@pytest.mark.parametrize("phase", ["announced", "settling"])
def test_given_up_before_it_issues_the_next_root_is_withdrawn_and_its_key_removed(cluster: Cluster, phase: str) -> None:
    old = cluster.material
    cluster.look()
    cluster.wish(Start())
    cluster.look()
    if phase == "settling":
        phases_to(cluster, phase)
    assert cluster.phase == phase
    cluster.wish(Abort())
    until_it_rests(cluster)
    assert cluster.material == old
    assert cluster.published == cluster.keys == old.roots


def test_given_up_after_it_has_issued_the_former_root_issues_again_and_the_newer_ones_leaves_stay_good(
    cluster: Cluster,
) -> None:
    old = cluster.material.root
    cluster.wish(Start())
    phases_to(cluster, "renewing")
    cluster.deliver(0)
    newer = cluster.material.root
    cluster.wish(Abort())
    cluster.look()
    assert cluster.material.root == old
    assert isinstance(cluster.record.phase, Renewing)
    assert cluster.record.phase.retiring == fingerprint(newer)
    cluster.deliver(1)
    cluster.handshakes()
    until_it_rests(cluster)
    assert cluster.material.roots == cluster.keys == (old,)


def test_an_admin_ends_the_wait_of_the_phase_they_name_and_of_no_other(cluster: Cluster) -> None:
    cluster.wish(Start())
    phases_to(cluster, "settling")
    cluster.wish(Advance("renewing"))
    cluster.look()
    assert (cluster.phase, cluster.asked) == ("settling", None)
    cluster.wish(Advance("settling"))
    cluster.look()
    assert (cluster.phase, cluster.asked) == ("renewing", None)
    cluster.wish(Advance("renewing"))
    cluster.look()
    assert (cluster.phase, len(cluster.material.roots)) == ("resting", 1)


def test_an_admin_may_say_how_long_peers_shall_have(cluster: Cluster) -> None:
    cluster.wish(Start(10 * MINUTE))
    phases_to(cluster, "settling")
    cluster.passes(9 * MINUTE)
    cluster.look()
    assert cluster.phase == "settling"
    cluster.passes(MINUTE)
    cluster.look()
    assert cluster.phase == "renewing"


@pytest.mark.parametrize("wish", [Abort(), Advance("settling")])
def test_there_is_nothing_to_end_while_nothing_goes_on(cluster: Cluster, wish: Any) -> None:
    cluster.wish(wish)
    cluster.look()
    assert (cluster.phase, cluster.asked) == ("resting", None)


def test_a_wish_that_is_none_is_taken_off(cluster: Cluster) -> None:
    cluster.annotate({"proa.dev/rotate": "soon"})
    cluster.look()
    assert cluster.asked is None
    assert cluster.phase == "resting"


def test_a_wait_beyond_the_last_year_there_is_ends_no_leader_and_is_declined(cluster: Cluster) -> None:
    cluster.annotate({"proa.dev/rotate": '{"wish":"start","settle":"P2999999D"}'})
    for _ in range(3):
        cluster.look()
        cluster.publish()
    assert (cluster.phase, cluster.asked) == ("resting", None)


def test_a_root_whose_key_is_offline_is_not_rotated_behind_its_owners_back(cluster: Cluster) -> None:
    del cluster.etcd.objects["/api/v1/namespaces/proa-system/secrets/proa-ca-root"]
    before = cluster.material
    cluster.wish(Start())
    cluster.look()
    assert cluster.asked is None
    cluster.passes(due(before.root) - cluster.now + HOUR)
    cluster.look()
    assert (cluster.phase, cluster.material) == ("resting", before)


def test_roots_an_admin_has_added_stay_through_a_rotation(cluster: Cluster) -> None:
    other = Cluster().material.root
    fresh = material_secret(Material(cluster.material.issuer, (*cluster.material.roots, other)))
    cluster.etcd.put(renewed_secret(cluster.secret, fresh))
    cluster.wish(Start())
    until_it_rests(cluster)
    assert other in cluster.published
    assert len(cluster.published) == 2


def test_when_everything_has_expired_the_next_root_issues_as_soon_as_it_is_published(cluster: Cluster) -> None:
    cluster.look()
    cluster.passes(timedelta(days=4000))
    began = cluster.now
    for _ in range(3):
        cluster.look()
        cluster.publish()
    assert cluster.now == began
    assert cluster.material.usable(cluster.now)
    cluster.deliver(0)
    cluster.handshakes()
    until_it_rests(cluster)


def test_a_lost_record_retires_a_root_that_may_have_issued_only_after_its_leaves(cluster: Cluster) -> None:
    cluster.wish(Start())
    phases_to(cluster, "renewing")
    cluster.deliver(0)
    cluster.annotate({"proa.dev/rotation": "spilt coffee"})
    cluster.look()
    assert cluster.phase == "renewing"
    until_it_rests(cluster)


def test_an_issuer_secret_lost_in_the_middle_comes_back_with_both_roots(cluster: Cluster) -> None:
    cluster.wish(Start())
    phases_to(cluster, "renewing")
    cluster.deliver(0)
    both = set(cluster.material.roots)
    del cluster.etcd.objects["/api/v1/namespaces/proa-system/secrets/proa-ca"]
    asyncio.run(create(cluster.client, DOMAIN, cluster.clock))
    assert set(cluster.material.roots) == both
    until_it_rests(cluster)


# What may happen, as methods of the cluster and their arguments.
events = st.one_of(
    st.tuples(st.just("passes"), st.integers(1, 40 * 60).map(lambda minutes: minutes * MINUTE)),
    st.tuples(st.just("look")),
    st.tuples(st.sampled_from(["dies_before", "dies_after"]), st.integers(0, 5)),
    st.tuples(st.just("race"), st.integers(2, 3)),
    st.tuples(st.just("trouble"), st.lists(st.sampled_from([0, 0, 409, 410, 429, 500, 503]), max_size=9)),
    st.tuples(st.just("renew"), st.integers(-1, 0)),
    st.tuples(st.just("publish"), st.integers(0, 10).map(lambda minutes: minutes * MINUTE)),
    st.tuples(
        st.just("deliver"),
        st.integers(0, 3),
        st.integers(0, 10).map(lambda minutes: minutes * MINUTE),
        st.integers(0, 2).map(lambda minutes: minutes * MINUTE),
    ),
    st.tuples(st.just("wish"), st.sampled_from([Start(), Start(), Abort()])),
    st.tuples(st.just("configures"), st.sampled_from([HOUR, 24 * HOUR, 100 * HOUR])),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(events, max_size=40))
def test_whatever_happens_no_handshake_fails_and_the_rotation_comes_to_its_end(history: list[tuple[Any, ...]]) -> None:
    cluster = Cluster()
    for event in [("deliver", 0, timedelta(0), timedelta(0)), *history]:
        name, *arguments = event
        getattr(cluster, name)(*arguments)
        cluster.handshakes()
    until_it_rests(cluster)


def test_three_that_lead_at_once_make_one_rotation(cluster: Cluster) -> None:
    old = cluster.material.root
    cluster.deliver(0)
    cluster.wish(Start())
    for hour in range(60):
        cluster.race(3)
        cluster.publish()
        cluster.deliver(hour % 3, kubelets=2 * MINUTE)
        cluster.handshakes()
        assert len(cluster.material.roots) <= 2
        cluster.passes(HOUR)
    assert cluster.phase == "resting"
    assert cluster.material.roots == cluster.keys != (old,)


@pytest.mark.parametrize("call", [1, 2, 3, 4])
def test_who_led_and_stands_still_between_two_calls_removes_no_key_of_a_root_that_issues(
    cluster: Cluster, call: int
) -> None:
    cluster.wish(Start())
    phases_to(cluster, "settling")
    cluster.wish(Abort())
    assert not cluster.dies_before(1)
    assert (cluster.phase, len(cluster.keys)) == ("resting", 2)

    def meanwhile() -> None:
        cluster.publish()
        cluster.look()
        cluster.wish(Start())
        phases_to(cluster, "renewing")

    cluster.stalls(call, meanwhile)
    assert cluster.phase == "renewing"
    assert cluster.material.root in cluster.keys
    until_it_rests(cluster)


@pytest.mark.parametrize("when", ["dies_before", "dies_after"])
def test_a_leader_that_dies_at_each_write_in_turn_is_carried_on_from(when: str) -> None:
    cluster = Cluster()
    cluster.deliver(0)
    cluster.wish(Start())
    deaths = 0
    for hour in range(200):
        deaths += not getattr(cluster, when)(0)
        if when == "dies_after" or hour % 2:
            cluster.publish(LAG)
        else:
            cluster.dies_before(1)
        cluster.deliver(hour % 3, lag=LAG, kubelets=2 * MINUTE)
        cluster.handshakes()
        cluster.passes(HOUR)
    assert deaths >= 6
    until_it_rests(cluster)
    assert len(cluster.material.roots) == 1
