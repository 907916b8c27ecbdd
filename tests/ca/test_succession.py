"""What does not fit never comes into force over what does."""

from datetime import timedelta
from typing import Any

import pytest

from ca.authority import new_intermediate, new_root
from ca.material import Material
from ca.phases import WISH, Abort, written
from ca.stored import ISSUER_SECRET, material_secret
from ca.succession import Adopt, Keep, Seen, seen, succession
from kube.resources import Key
from kube.watching import Known
from proa.errors import Refused
from proa.identity import TrustDomain
from proa.names import SYSTEM_NAMESPACE

KEY = Key(SYSTEM_NAMESPACE, ISSUER_SECRET)


def made(trust_domain: TrustDomain, clock: Any) -> Material:
    root = new_root(trust_domain, clock())
    return Material(new_intermediate(trust_domain, root, clock()), (root.issuing.certificate,))


@pytest.fixture
def current(trust_domain: TrustDomain, clock: Any) -> Material:
    return made(trust_domain, clock)


@pytest.fixture
def wanted(trust_domain: TrustDomain, clock: Any) -> Material:
    return made(trust_domain, clock)


def nothing(_: Material) -> str:
    return ""


def something(_: Material) -> str:
    return "nobody would take its certificates"


def test_what_fits_comes_into_force(current: Material, wanted: Material, clock: Any) -> None:
    for before in (None, current):
        assert succession(before, Seen(None, wanted), nothing, clock()) == Adopt(wanted)


def test_what_does_not_parse_leaves_the_last_good_one_in_force(current: Material, clock: Any) -> None:
    found = seen({"metadata": {"name": "proa-ca"}, "data": {}})
    assert isinstance(found.content, Refused)
    decided = succession(current, found, nothing, clock())
    assert isinstance(decided, Keep)
    assert "data.tls.key: found nothing" in decided.problem
    assert f"still issuing with {current}" in decided.problem


def test_what_parses_but_would_not_be_accepted_leaves_the_last_good_one_in_force(
    current: Material, wanted: Material, clock: Any
) -> None:
    decided = succession(current, Seen(None, wanted), something, clock())
    assert isinstance(decided, Keep)
    assert "nobody would take its certificates; still issuing with" in decided.problem


def test_a_fault_is_better_than_nothing(wanted: Material, clock: Any) -> None:
    assert succession(None, Seen(None, wanted), something, clock()) == Adopt(wanted)


def test_a_fault_is_better_than_what_has_ended(current: Material, wanted: Material, clock: Any) -> None:
    clock.advance(timedelta(days=90))
    assert succession(current, Seen(None, wanted), something, clock()) == Adopt(wanted)


def test_an_issuer_without_its_own_key_never_comes_into_force_not_even_over_nothing(
    current: Material, wanted: Material, clock: Any
) -> None:
    both: Any = material_secret(wanted), material_secret(current)
    found = seen({**both[0], "data": {**both[0]["data"], "tls.key": both[1]["data"]["tls.key"]}})
    for before in (None, current):
        assert isinstance(succession(before, found, nothing, clock()), Keep)
    clock.advance(timedelta(days=90))
    assert isinstance(succession(current, found, nothing, clock()), Keep)


def test_a_deleted_secret_leaves_the_last_good_one_in_force(current: Material, clock: Any) -> None:
    decided = succession(current, None, nothing, clock())
    assert isinstance(decided, Keep)
    assert decided.problem.startswith("the Secret proa-ca was deleted; still issuing with")
    assert succession(None, None, nothing, clock()) == Keep("the Secret proa-ca was deleted")


def test_an_event_about_the_secret_carries_nothing_of_what_is_in_it(current: Material) -> None:
    secret: Any = material_secret(current)
    secret["metadata"]["uid"] = "u"
    assert seen(secret).about == {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "proa-ca", "namespace": "proa-system", "uid": "u"},
    }


def test_what_is_said_of_material_holds_no_key(current: Material) -> None:
    assert str(current).endswith(f"valid {current.issuer.issuing.validity}")
    assert "PrivateKey" not in repr(current)


def test_what_an_admin_asks_of_the_leader_is_news_though_all_else_stays_as_it_was(current: Material) -> None:
    secret: Any = material_secret(current)
    asked: Any = {**secret, "metadata": {**secret["metadata"], "annotations": {WISH: written(Abort())}}}
    known = Known[Seen]()
    known.put(KEY, seen(secret), "1")
    assert known.put(KEY, seen(asked), "2") == ((KEY, seen(asked)),)
    assert known.put(KEY, seen(asked), "3") == ()
