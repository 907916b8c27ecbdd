"""Which trust domains are believed, and by which roots: read from the configuration, or refused with what is wrong."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st

from ca.anchors import anchor
from ca.authority import new_intermediate, new_root
from ca.certificates import pem
from ca.svid_bundle import spiffe_bundle, trust_bundles
from proa.errors import Invalid, Refused
from proa.federation import foreign_roots
from proa.identity import TrustDomain
from proa.mesh import mesh_configuration

NOW = datetime(2026, 3, 1, tzinfo=UTC)
OTHER = TrustDomain("other.example")
ROOTS = tuple(new_root(OTHER, NOW).issuing.certificate for _ in range(9))
BELOW = new_intermediate(OTHER, new_root(OTHER, NOW), NOW)
KEY = BELOW.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()  # type: ignore[union-attr]
MAPS = {"authority": {"roots": {"kind": "config-maps"}}}


def mesh(**members: Any) -> Any:
    return mesh_configuration(json.dumps(MAPS | members))


def bundles(**foreign: str) -> Any:
    return {"kind": "bundles", "trustDomains": foreign}


def document(*keys: Any) -> str:
    return json.dumps({"keys": keys, "spiffe_sequence": 3, "spiffe_refresh_hint": 60})


ENTRY: Any = spiffe_bundle(ROOTS[:1])
(X509_KEY,) = ENTRY["keys"]


@given(st.lists(st.sampled_from(ROOTS), min_size=1, max_size=8, unique=True))
def test_the_same_roots_are_read_from_pem_and_from_a_spiffe_bundle(roots: list[x509.Certificate]) -> None:
    written = json.dumps(spiffe_bundle(tuple(roots)))
    assert foreign_roots(pem(*roots)) == foreign_roots(written) == tuple(roots)


def test_keys_for_jwts_are_passed_over() -> None:
    assert foreign_roots(document({"kty": "EC", "use": "jwt-svid", "kid": "1"}, X509_KEY)) == ROOTS[:1]


@pytest.mark.parametrize(
    "bundle",
    {
        "nothing": "",
        "words": "trust them",
        "a private key": KEY,
        "an intermediate": pem(BELOW.issuing.certificate),
        "too many": pem(*ROOTS),
        "no key": document(),
        "only a key for JWTs": document({"use": "jwt-svid"}),
        "a chain in one key": document(X509_KEY | {"x5c": X509_KEY["x5c"] * 2}),
        "no base64": document(X509_KEY | {"x5c": ["*"]}),
        "no certificate": document(X509_KEY | {"x5c": ["AAAA"]}),
        "no JSON": "{",
        "no object of keys": '{"keys": 3}',
    }.items(),
    ids=lambda each: each[0],
)
def test_what_no_sidecar_could_go_by_is_refused_and_not_shown(bundle: tuple[str, str]) -> None:
    with pytest.raises(Refused) as refused:
        mesh(federation=bundles(**{"other.example": bundle[1]}))
    (problem,) = refused.value.problems
    assert problem.field == "federation.trustDomains.other.example"
    assert "PRIVATE" not in str(problem)


@pytest.mark.parametrize(
    ("members", "field"),
    [
        ({"trustDomainAliases": ["cluster.local"]}, "trustDomainAliases"),
        ({"trustDomainAliases": ["former", "former"]}, "trustDomainAliases"),
        ({"trustDomainAliases": ["Former"]}, "trustDomainAliases.0"),
        ({"federation": bundles(**{"cluster.local": pem(ROOTS[0])})}, "federation.trustDomains"),
        (
            {"trustDomainAliases": ["former"], "federation": bundles(former=pem(ROOTS[0]))},
            "federation.trustDomains",
        ),
        ({"federation": bundles(Other=pem(ROOTS[0]))}, "federation.trustDomains.Other"),
        ({"federation": bundles(**dict.fromkeys(map(str, range(33)), pem(ROOTS[0])))}, "federation.trustDomains"),
        ({"federation": bundles(), "authority": {}}, "federation.kind"),
        (
            {"federation": bundles(), "authority": {"roots": {"kind": "config-maps", "revocation": "crl"}}},
            "federation.kind",
        ),
    ],
)
def test_a_configuration_that_contradicts_itself_is_refused(members: Any, field: str) -> None:
    with pytest.raises(Refused) as refused:
        mesh(**members)
    assert [each.field for each in refused.value.problems] == [field]


def test_each_trust_domain_has_its_own_roots_and_an_alias_has_ours() -> None:
    made = mesh(trustDomainAliases=["former"], federation=bundles(**{"other.example": pem(*ROOTS[1:3])}))
    told = json.loads(trust_bundles(made, ROOTS[:1]))["trust_domains"]
    anchors = tuple(anchor(root, TrustDomain("other.example")) for root in ROOTS[1:3])
    ours, theirs = spiffe_bundle(ROOTS[:1]), spiffe_bundle(anchors)
    assert told == {"cluster.local": ours, "former": ours, "other.example": theirs}


def test_a_root_that_stands_under_two_names_may_vouch_for_both_and_another_for_one() -> None:
    made = mesh(federation=bundles(**{"former.example": pem(*ROOTS[1:3]), "other.example": pem(ROOTS[1])}))
    told = json.loads(trust_bundles(made, ROOTS[:1]))["trust_domains"]
    both = anchor(ROOTS[1], TrustDomain("former.example"), TrustDomain("other.example"))
    assert told["other.example"] == spiffe_bundle((both,))
    assert told["former.example"] == spiffe_bundle((both, anchor(ROOTS[2], TrustDomain("former.example"))))


def test_a_bundle_may_be_read_by_itself() -> None:
    with pytest.raises(Invalid):
        foreign_roots("")
