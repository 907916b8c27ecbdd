from base64 import b64encode
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa.errors import Invalid
from support.roots import Root
from webhook.registration import Revision, registration
from webhook.trust import ca_bundle, registered, trusting

ROOTS = [Root(name).pem for name in ("one", "two", "three")]
BUNDLE = ca_bundle(ROOTS[0])


def with_bundles(*bundles: bytes) -> Any:
    """A registration whose first entries have *bundles*."""
    made: Any = registration(Revision())
    for entry, bundle in zip(made["webhooks"], bundles, strict=False):
        entry["clientConfig"]["caBundle"] = b64encode(bundle).decode()
    return made


def test_the_order_of_the_file_does_not_matter_nor_does_a_root_that_stands_twice() -> None:
    assert {ca_bundle(b"".join(order)) for order in permutations(ROOTS)} == {ca_bundle(b"".join([*ROOTS, *ROOTS]))}


def test_roots_that_overlap_in_a_rotation_are_all_kept() -> None:
    bundle = ca_bundle(b"".join(ROOTS))
    assert all(root in bundle for root in ROOTS)


def test_what_stands_beside_the_certificates_is_not_passed_on() -> None:
    assert ca_bundle(b"# a comment\n" + ROOTS[0] + b"\nrest") == ROOTS[0]


@given(st.binary(max_size=200))
def test_a_file_without_a_root_is_refused_rather_than_trusted(noise: bytes) -> None:
    with pytest.raises(Invalid, match="trust bundle"):
        ca_bundle(noise)


def test_too_many_roots_are_refused() -> None:
    with pytest.raises(Invalid, match="65 roots"):
        ca_bundle(b"".join(Root(str(number)).pem for number in range(65)))


def test_only_the_bundle_of_every_entry_is_applied() -> None:
    found = with_bundles(BUNDLE)
    wanted: Any = trusting(registered(found), BUNDLE)
    assert set(wanted) == {"apiVersion", "kind", "metadata", "webhooks"}
    assert wanted["metadata"] == {"name": "proa-webhook"}
    encoded = b64encode(BUNDLE).decode()
    assert wanted["webhooks"] == [
        {"name": entry["name"], "clientConfig": {"caBundle": encoded}} for entry in found["webhooks"]
    ]


def test_nothing_is_applied_where_every_entry_has_it_or_there_is_none() -> None:
    found = with_bundles(*[BUNDLE] * 20)
    assert trusting(registered(found), BUNDLE) is None
    assert trusting(registered({**found, "webhooks": []}), BUNDLE) is None
    assert trusting(registered(found), ca_bundle(ROOTS[1])) is not None


@pytest.mark.parametrize("found", [None, [], {}, {"metadata": {}}, {"metadata": {"name": "a"}, "webhooks": [{}]}])
def test_what_is_no_registration_is_invalid(found: Any) -> None:
    with pytest.raises(Invalid):
        registered(found)
