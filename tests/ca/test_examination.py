"""A certificate in words: what it proves, to whom, and everything that is wrong with it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from ca.authority import CertificateAuthority, self_signed_authority
from ca.bundle import credential_bundle
from ca.certificates import Chain, pem
from ca.csr import stub_request
from ca.examination import Bundle, Finding, Roots, bundle, examined
from ca.profile import ServingLeaf, WorkloadLeaf
from ca.randomness import new_key
from proa.errors import Invalid
from proa.identity import TrustDomain, WorkloadIdentity

HOUR = timedelta(hours=1)


@pytest.fixture
def chain(authority: CertificateAuthority, identity: WorkloadIdentity, csr: bytes) -> Chain:
    return authority.sign(csr, WorkloadLeaf(identity))


def seen(content: str | bytes, authority: CertificateAuthority | None, at: datetime) -> tuple[Finding, ...]:
    roots = None if authority is None else Roots(authority.roots, "of the test")
    return examined(bundle(content.encode() if isinstance(content, str) else content), roots, at)


def test_a_good_chain_is_told_from_leaf_to_intermediate_without_a_problem(
    chain: Chain, authority: CertificateAuthority, clock: Any
) -> None:
    leaf, intermediate = seen(chain.pem, authority, clock())
    assert leaf.what == "a workload's certificate"
    assert leaf.proves == (
        "whoever holds its key is 'spiffe://cluster.local/ns/shop/sa/web'",
        "as a server and as a client",
    )
    assert leaf.facts["key"] == "ECDSA P-256"
    assert intermediate.what == "an intermediate"
    assert intermediate.proves == (
        "may sign other certificates, leaves only",
        "signs for the trust domain cluster.local",
    )
    assert leaf.problems == intermediate.problems == ()


def test_who_made_a_certificate_writes_no_line_of_what_is_said_about_it(clock: Any) -> None:
    key, mean = new_key(), "\x1b[2J\nok A peer that trusts the roots takes it."
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, mean)])
    builder = x509.CertificateBuilder(name, name, key.public_key(), 7, clock(), clock() + HOUR)
    hostile, uri = builder.sign(key, SHA256()), x509.UniformResourceIdentifier("spiffe://a\x1b[2Jb")
    issues = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    other = issues.add_extension(x509.SubjectAlternativeName([uri]), critical=False).sign(new_key(), SHA256())
    found = seen(pem(hostile, other), None, clock())
    said = [text for each in found for text in (each.what, *each.proves, *each.facts.values(), *each.problems)]
    assert all(text.isprintable() for text in said)
    assert any("ok A peer" in text for text in said)


def test_a_root_is_one(authority: CertificateAuthority, clock: Any) -> None:
    (root,) = seen(authority.trust_bundle, None, clock())
    assert (root.what, root.problems) == ("a root", ())


def test_a_server_is_judged_as_a_server(authority: CertificateAuthority, csr: bytes, clock: Any) -> None:
    served = authority.sign(csr, ServingLeaf(("proa-webhook.proa-system.svc",)))
    first, _ = seen(served.pem, authority, clock())
    assert first.what == "a server's certificate"
    assert first.problems == ()


def test_der_is_read_as_well(chain: Chain, clock: Any) -> None:
    (leaf,) = seen(chain.leaf.public_bytes(Encoding.DER), None, clock())
    assert leaf.facts["serial"] == f"{chain.serial:x}"


@pytest.mark.parametrize(
    ("passed", "words"),
    [
        (-2 * HOUR, "not valid before 2026-03-01T11:59:00Z, in 118 minutes"),
        (20 * HOUR, "ends in 3 hours, and should have been renewed at half of its life"),
        (30 * HOUR, "expired 6 hours ago, at 2026-03-02T11:59:00Z"),
    ],
)
def test_a_leaf_out_of_its_time_is_said_to_be(chain: Chain, clock: Any, passed: timedelta, words: str) -> None:
    leaf, _ = seen(chain.pem, None, clock() + passed)
    assert leaf.problems == (words,)


def test_a_chain_of_another_authority_is_taken_by_nobody(chain: Chain, trust_domain: TrustDomain, clock: Any) -> None:
    other = self_signed_authority(trust_domain, clock)
    leaf, _ = seen(chain.pem, other, clock())
    (problem,) = leaf.problems
    assert problem.startswith("no peer that trusts the roots of the test takes it")


def test_a_missing_intermediate_is_noticed(chain: Chain, authority: CertificateAuthority, clock: Any) -> None:
    (leaf,) = seen(pem(chain.leaf), authority, clock())
    assert "no peer that trusts" in leaf.problems[0]


def test_certificates_in_the_wrong_order_are_noticed(chain: Chain, authority: CertificateAuthority, clock: Any) -> None:
    first, _ = seen(pem(*chain.intermediates, chain.leaf), authority, clock())
    assert any("the next certificate did not issue it" in each for each in first.problems)


def test_a_root_in_the_chain_is_noticed(chain: Chain, authority: CertificateAuthority, clock: Any) -> None:
    first, *_ = seen(chain.pem + authority.trust_bundle, authority, clock())
    assert first.problems == ("a root stands in the chain; roots belong to the bundle that peers trust",)


def test_without_any_root_nobody_trusts_it(chain: Chain, clock: Any) -> None:
    first, *_ = examined(bundle(chain.pem.encode()), Roots((), "that the cluster publishes"), clock())
    assert first.problems == ("there is no root that the cluster publishes that a peer could trust",)


def test_the_key_of_a_credential_is_compared_and_never_shown(
    chain: Chain, key: ec.EllipticCurvePrivateKey, authority: CertificateAuthority, clock: Any
) -> None:
    own, others = credential_bundle(key, chain), credential_bundle(ec.generate_private_key(ec.SECP256R1()), chain)
    assert seen(own, authority, clock())[0].problems == ()
    (finding, *_) = found = seen(others, authority, clock())
    assert finding.problems == ("the private key in the file is another certificate's",)
    secret = others.split("-----")[2].strip()
    assert secret not in repr(found)


@pytest.mark.parametrize("content", [b"", b"no certificate", b"-----BEGIN CERTIFICATE-----\n", b"x" * (1 << 20 | 1)])
def test_what_is_no_certificate_is_refused(content: bytes) -> None:
    with pytest.raises(Invalid):
        bundle(content)


AUTHORITY = self_signed_authority(TrustDomain("cluster.local"), lambda: datetime(2026, 3, 1, 12, tzinfo=UTC))
LEAF = AUTHORITY.sign(
    stub_request(ec.generate_private_key(ec.SECP256R1())),
    WorkloadLeaf(WorkloadIdentity(TrustDomain("cluster.local"), "shop", "web")),
).leaf.public_bytes(Encoding.DER)


@settings(max_examples=400, deadline=None)
@given(st.integers(0, len(LEAF) - 1), st.integers(1, 255))
def test_a_certificate_with_any_octet_spoilt_is_refused_or_told_about(place: int, change: int) -> None:
    spoilt = bytearray(LEAF)
    spoilt[place] ^= change
    try:
        found: Bundle = bundle(bytes(spoilt))
    except Invalid:
        return
    finding, *_ = examined(found, Roots(AUTHORITY.roots, "of the test"), AUTHORITY.clock())
    assert finding.problems
