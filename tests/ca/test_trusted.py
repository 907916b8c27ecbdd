"""Whom the nodes' agents are told to believe beside the roots: by the configuration, and by the CRLs that there are."""

import json
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from ca.certificates import pem
from ca.jwk import parameters
from ca.jwt.keys import SigningKey, key_set
from ca.randomness import new_key
from ca.svid_bundle import spiffe_bundle
from ca.trusted.messages import Foreign, Trust, told, trust_told
from ca.trusted.trust import token_keys, trust
from proa.errors import Invalid
from proa.identity import TrustDomain
from proa.mesh import MeshConfiguration, mesh_configuration
from support.issuers import material
from support.revoked import Revoking

OTHER = TrustDomain("other.example")


def root(clock: Any) -> x509.Certificate:
    return material("ECDSA P-256", OTHER, clock).root


def mesh(**bundles: str) -> MeshConfiguration:
    named = {"other.example": bundles["bundle"]} if bundles else {}
    return mesh_configuration(
        json.dumps(
            {
                "trustDomainAliases": ["former.local"],
                "authority": {"roots": {"kind": "config-maps"}},
                "federation": {"kind": "bundles", "trustDomains": named},
            }
        )
    )


def test_a_foreign_trust_domain_is_told_with_roots_that_vouch_for_it_alone_and_with_the_keys_of_its_tokens(
    clock: Any,
) -> None:
    theirs, keys = root(clock), key_set((SigningKey(clock(), new_key()),))
    bundle: Any = spiffe_bundle((theirs,), keys["keys"])  # type: ignore[index,call-overload]
    found = trust(mesh(bundle=json.dumps(bundle)), "")
    assert found.aliases == (TrustDomain("former.local"),)
    (foreign,) = found.foreign
    told_root = x509.load_der_x509_certificate(foreign.roots)
    assert (foreign.domain, told_root.public_key()) == (OTHER, theirs.public_key())
    constraints = told_root.extensions.get_extension_for_class(x509.NameConstraints).value
    assert constraints.permitted_subtrees == [x509.UniformResourceIdentifier(OTHER.name)]
    assert json.loads(foreign.key_set) == keys


def test_a_foreign_trust_domain_in_pem_tells_no_keys(clock: Any) -> None:
    (foreign,) = trust(mesh(bundle=pem(root(clock))), "").foreign
    assert (foreign.domain, foreign.key_set) == (OTHER, b"")


@pytest.mark.parametrize(
    "wrong",
    [
        {"kty": "oct", "k": "c2VjcmV0", "kid": "1", "use": "jwt-svid"},
        {"use": "x509-svid", "kid": "1"},
        {"use": "jwt-svid"},
        {"use": "jwt-svid", "kid": 1},
        {"kid": "1"},
        {"kid": "1", "use": "jwt-svid", "x": "AAAA"},
        {"kid": "1", "use": "jwt-svid", "crv": "P-0"},
        {"kid": "1", "use": "jwt-svid", "alg": "none"},
        {"kid": "1", "use": "jwt-svid", "alg": "HS256"},
        {"kid": "1", "use": "jwt-svid", "kty": "RSA", "n": "!"},
    ],
)
def test_what_verifies_no_token_of_theirs_is_passed_over_and_what_is_private_stays_so(wrong: dict[str, Any]) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    good: dict[str, str] = {**parameters(key.public_key()), "kid": "2", "use": "jwt-svid"}
    bundle = {"keys": [{**parameters(key.public_key()), **wrong}, {**good, "d": "private", "x5c": []}]}
    assert token_keys(json.dumps(bundle)) == (good,)


def test_the_crls_are_told_as_they_are() -> None:
    found = trust(mesh(), Revoking().live.pem)
    assert found.crls
    assert [x509.load_der_x509_crl(each).issuer for each in found.crls]


def test_both_ends_of_the_protocol_agree() -> None:
    for each in (Trust(), Trust((OTHER,), (Foreign(OTHER, b"roots", b"{}"),), (b"crl",))):
        assert trust_told(told(each)) == each
    with pytest.raises(Invalid):
        trust_told(b"\xff")
