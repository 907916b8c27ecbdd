"""Readiness rests on a certificate that is issued and verified up to the roots by the library's own rules."""

from datetime import timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from ca.authority import CertificateAuthority, new_intermediate, new_root, self_signed_authority
from ca.certificates import issuing_certificate
from ca.material import Issuer
from ca.profile import Terms, authority_validity, intermediate_builder
from ca.randomness import new_key, new_serial
from ca.selftest import failure, self_test
from proa.identity import TrustDomain


def test_a_good_authority_passes(authority: CertificateAuthority, trust_domain: TrustDomain) -> None:
    assert failure(self_test(), authority, trust_domain) == ""


def test_an_expired_issuer_fails_with_its_validity(trust_domain: TrustDomain, clock: Any) -> None:
    authority = self_signed_authority(trust_domain, clock)
    clock.advance(timedelta(days=91))
    assert "an hour or more left" in failure(self_test(), authority, trust_domain)


def test_a_root_that_ended_before_its_intermediate_fails(trust_domain: TrustDomain, clock: Any) -> None:
    root = new_root(trust_domain, clock() - timedelta(days=3649))
    key, life = new_key(), authority_validity(clock(), timedelta(days=90))
    builder = intermediate_builder(trust_domain, Terms(key.public_key(), life, new_serial()), root.issuing)
    issuer = Issuer(issuing_certificate(builder.sign(root.key, SHA256())), key)
    authority = CertificateAuthority(issuer, (root.issuing.certificate,), clock)
    assert failure(self_test(), authority, trust_domain) == ""
    clock.advance(timedelta(days=2))
    assert "a certificate issued as a test" in failure(self_test(), authority, trust_domain)


def test_a_constraint_that_no_peer_understands_fails(trust_domain: TrustDomain, clock: Any) -> None:
    """Such an admin's intermediate has a good signature, a good key, and makes certificates that nobody takes."""
    root, key = new_root(trust_domain, clock()), new_key()
    terms = Terms(key.public_key(), authority_validity(clock(), timedelta(days=90)), new_serial())
    strange = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.99999.1"), b"\x05\x00")
    builder = intermediate_builder(trust_domain, terms, root.issuing).add_extension(strange, critical=True)
    issuer = Issuer(issuing_certificate(builder.sign(root.key, SHA256())), key)
    authority = CertificateAuthority(issuer, (root.issuing.certificate,), clock)
    assert "a certificate issued as a test" in failure(self_test(), authority, trust_domain)


def test_an_intermediate_never_outlives_its_root(trust_domain: TrustDomain, clock: Any) -> None:
    root = new_root(trust_domain, clock())
    clock.advance(timedelta(days=3640))
    issuer = new_intermediate(trust_domain, root, clock())
    assert issuer.issuing.validity.not_after == root.issuing.validity.not_after
    authority = CertificateAuthority(issuer, (root.issuing.certificate,), clock)
    assert failure(self_test(), authority, trust_domain) == ""
