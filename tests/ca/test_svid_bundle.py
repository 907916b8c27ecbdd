"""A SPIFFE bundle holds each root once, whole, and its key as JSON Web Keys have it."""

from base64 import b64decode, urlsafe_b64decode
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from ca.certificates import PublicKey
from ca.svid_bundle import spiffe_bundle
from proa.identity import TrustDomain
from support.issuers import KINDS, material


def number(text: str) -> int:
    return int.from_bytes(urlsafe_b64decode(text + "=" * (-len(text) % 4)), "big")


def key_of(entry: dict[str, str]) -> PublicKey:
    if entry["kty"] == "RSA":
        return rsa.RSAPublicNumbers(number(entry["e"]), number(entry["n"])).public_key()
    curve: Any = {"P-256": ec.SECP256R1, "P-384": ec.SECP384R1}[entry["crv"]]
    return ec.EllipticCurvePublicNumbers(number(entry["x"]), number(entry["y"]), curve()).public_key()


@pytest.mark.parametrize("kind", KINDS)
def test_a_root_of_each_kind_of_key_is_read_back_from_it(trust_domain: TrustDomain, clock: Any, kind: str) -> None:
    (root,) = material(kind, trust_domain, clock).roots
    bundle: Any = spiffe_bundle((root, root))
    assert len(bundle["keys"]) == 2
    for entry in bundle["keys"]:
        assert key_of(entry) == root.public_key()
        assert x509.load_der_x509_certificate(b64decode(entry["x5c"][0])) == root
        assert entry["use"] == "x509-svid"
        assert "kid" not in entry


def test_coordinates_keep_their_leading_zeros(trust_domain: TrustDomain, clock: Any) -> None:
    """RFC 7518 §6.2.1.2: as long as the curve says, always."""
    for _ in range(40):
        bundle: Any = spiffe_bundle(material("ECDSA P-256", trust_domain, clock).roots)
        assert {len(bundle["keys"][0][name]) for name in ("x", "y")} == {43}
