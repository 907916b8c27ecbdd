"""Issuers and roots follow each other while every pod wants CRLs: no handshake fails but those of revoked leaves."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from ca.material import Material
from ca.phases import Abort, Start
from ca.revocation.crl import number
from ca.revocation.tending import waiting
from ca.stored import material_secret, renewed_secret
from proa.errors import ProaError
from support.revoked import Refused, Revoking

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@pytest.fixture
def cluster() -> Revoking:
    return Revoking()


def goes_on(cluster: Revoking, hours: int, step: timedelta = HOUR) -> None:
    """Leader and kubelets do their work; pods renew at half of their lives, late, or are made anew."""
    for hour in range(hours):
        cluster.tend()
        cluster.publish()
        cluster.look()
        cluster.renew_if_due()
        cluster.tend()
        cluster.publish()
        if hour % 5 < 3 or hour % 19 == 0:
            cluster.deliver(min(hour % 5, 3), kubelets=timedelta(minutes=2))
        cluster.handshakes()
        cluster.passes(step)


def test_the_issuer_is_renewed_by_one_whose_crl_every_pod_has_and_no_handshake_fails(cluster: Revoking) -> None:
    first = cluster.material.issuer
    goes_on(cluster, 19, 3 * DAY)
    assert waiting(cluster.register, cluster.material.root) is None
    goes_on(cluster, 30)
    following = waiting(cluster.register, cluster.material.root)
    assert following is not None
    assert cluster.material.issuer == first
    goes_on(cluster, 60)
    assert cluster.material.issuer == following
    goes_on(cluster, 20)
    assert [held.issuer for held in cluster.register.issuers] == [following]


def test_the_root_is_rotated_and_no_handshake_fails(cluster: Revoking) -> None:
    old = cluster.material.root
    cluster.wish(Start())
    goes_on(cluster, 60)
    assert cluster.material.root != old
    assert cluster.material.roots == (cluster.material.root,)
    assert all(held.ended is None for held in cluster.register.issuers)


def test_a_rotation_that_is_turned_round_breaks_no_handshake(cluster: Revoking) -> None:
    old = cluster.material.root
    cluster.wish(Start())
    for _ in range(200):
        goes_on(cluster, 1)
        if cluster.phase == "renewing":
            break
    goes_on(cluster, 5)
    cluster.wish(Abort())
    goes_on(cluster, 40)
    assert cluster.material.roots == (old,)


def test_a_rotation_waits_until_the_next_issuers_crl_is_told_everywhere(cluster: Revoking) -> None:
    cluster.wish(Start())
    cluster.look()
    super(Revoking, cluster).publish()
    cluster.look()
    assert cluster.phase == "announced", "the bundle has it, the ConfigMaps have neither root nor CRL"
    cluster.publish()
    cluster.look()
    assert cluster.phase == "announced", "no issuer waits below it yet"
    cluster.tend()
    cluster.look()
    assert cluster.phase == "announced"
    cluster.publish()
    cluster.look()
    assert cluster.phase == "settling"


def test_what_is_given_up_leaves_no_issuer_behind(cluster: Revoking) -> None:
    before = cluster.register
    cluster.wish(Start())
    cluster.look()
    cluster.tend()
    assert len(cluster.register.issuers) == 2
    cluster.wish(Abort())
    cluster.look()
    cluster.tend()
    assert cluster.register.issuers == before.issuers


def test_a_revoked_leaf_is_refused_and_its_successor_is_not(cluster: Revoking) -> None:
    for index in range(2):
        cluster.deliver(index)
    cluster.handshakes()
    with capture_logs() as logs:
        cluster.revoke(cluster.pods[0])
        cluster.tend()
        cluster.tend()
    (line,) = [each for each in logs if each["event"] == "revoked"]
    assert line["serial"] == f"{cluster.pods[0].chain.serial:x}"
    assert cluster.counted.registry.get_sample_value("proa_ca_revoked_certificates") == 1
    cluster.publish()
    cluster.receive()
    with pytest.raises(Refused, match="revoked"):
        cluster.handshakes()
    cluster.deliver(0)
    cluster.handshakes()


def test_a_leaf_of_the_former_issuer_can_be_revoked_while_it_lives(cluster: Revoking) -> None:
    cluster.passes(59 * DAY)
    cluster.tend()
    cluster.publish()
    cluster.passes(2 * DAY)
    for index in range(2):
        cluster.deliver(index)
    cluster.renew_if_due()
    assert {pod.chain.leaf.issuer for pod in cluster.pods} != {cluster.material.issuer.issuing.certificate.subject}
    cluster.tend()
    cluster.revoke(cluster.pods[0])
    cluster.tend()
    cluster.publish()
    cluster.receive()
    with pytest.raises(Refused, match="revoked"):
        cluster.handshakes()


def test_an_entry_goes_a_day_after_its_certificate_has_ended(cluster: Revoking) -> None:
    cluster.deliver(0)
    cluster.revoke(cluster.pods[0])
    cluster.tend()
    for _ in range(2):
        cluster.passes(DAY - HOUR)
        cluster.tend()
        assert [len(crl) for crl in cluster.register.crls] == [1]
    cluster.passes(3 * HOUR)
    with capture_logs() as logs:
        cluster.tend()
    assert cluster.register.revoked == ()
    assert [len(crl) for crl in cluster.register.crls] == [0]
    assert "revocation over" in [each["event"] for each in logs]


def test_a_crl_is_renewed_at_half_of_its_life_with_a_higher_number_and_not_before(cluster: Revoking) -> None:
    before = cluster.register
    cluster.passes(3 * DAY)
    cluster.tend()
    assert cluster.register == before
    cluster.passes(DAY)
    cluster.tend()
    assert all(number(new) > number(old) for new, old in zip(cluster.register.crls, before.crls, strict=True))


def test_an_issuer_whose_crl_nobody_has_yet_does_not_issue(cluster: Revoking) -> None:
    cluster.passes(61 * DAY)
    before = cluster.material.issuer
    cluster.renew_if_due()
    assert cluster.material.issuer == before, "nobody waits yet"
    cluster.tend()
    cluster.publish()
    cluster.renew_if_due()
    assert cluster.material.issuer == before, "a pod may not have the CRL that was published a moment ago"
    cluster.passes(DAY + HOUR)
    cluster.renew_if_due()
    assert cluster.material.issuer != before


def test_an_issuer_of_whose_crl_a_namespace_is_not_told_does_not_issue_until_it_must(cluster: Revoking) -> None:
    cluster.passes(61 * DAY)
    before = cluster.material.issuer
    cluster.tend()
    cluster.passes(2 * DAY)
    cluster.renew_if_due()
    assert cluster.material.issuer == before
    cluster.passes(26 * DAY + HOUR)
    cluster.renew_if_due()
    assert cluster.material.issuer != before, "with the present issuer all leaves would end"


def test_material_that_cannot_be_read_keeps_no_crl_from_being_renewed(cluster: Revoking) -> None:
    before = cluster.register
    secret = cluster.secret
    cluster.etcd.put({**secret, "data": {**secret["data"], "tls.crt": "eA=="}})
    cluster.passes(4 * DAY)
    with pytest.raises(ProaError, match="proa-ca"):
        cluster.tend()
    assert [each.issuer for each in cluster.register.issuers] == [each.issuer for each in before.issuers]
    assert cluster.register.crls != before.crls


def test_an_admins_own_issuer_has_a_crl_as_soon_as_it_is_seen(cluster: Revoking) -> None:
    other = Revoking()
    material = Material(other.material.issuer, (*other.material.roots, *cluster.material.roots))
    cluster.etcd.put(renewed_secret(cluster.secret, material_secret(material)))
    cluster.tend()
    listed = {crl.issuer for crl in cluster.register.crls}
    assert material.issuer.issuing.certificate.subject in listed
    assert len(cluster.register.crls) == 3, "the former one's leaves live, and below its root somebody may come next"


@settings(max_examples=15)
@given(st.lists(st.tuples(st.sampled_from(["tend", "publish", "look", "renew", "dies", "start"]), st.integers(0, 2))))
def test_whoever_dies_at_whichever_write_the_register_is_carried_on(history: list[tuple[str, int]]) -> None:
    cluster = Revoking()
    for event, write in history:
        match event:
            case "tend":
                cluster.tend()
            case "publish":
                cluster.publish()
            case "look":
                cluster.look()
            case "renew":
                cluster.renew_if_due()
            case "start" if cluster.phase == "resting":
                cluster.wish(Start())
            case _:
                cluster.tend(write)
        cluster.deliver(write)
        cluster.passes(HOUR)
    goes_on(cluster, 4)
    issuing = [held.issuer for held in cluster.register.issuers if held.began and not held.ended]
    assert issuing == [cluster.material.issuer]
