"""What the authority issues, for whom, and what it takes from a request: the key, nothing else."""

from datetime import timedelta
from ipaddress import ip_address
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256, SHA384
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ca.authority import CertificateAuthority, Issuer, new_intermediate, new_root, self_signed_authority
from ca.bundle import credential_bundle
from ca.certificates import Chain, issued_by, issuing_certificate, printed
from ca.csr import CsrRejected, stub_request
from ca.custody import Keeper
from ca.examination import key_kind
from ca.inspection import LeafUnfit
from ca.key_uri import KeyElsewhere, key_elsewhere
from ca.lint import faults
from ca.profile import (
    IssuerNotValid,
    LifetimeRefused,
    ServingLeaf,
    Terms,
    WorkloadLeaf,
    authority_validity,
    root_builder,
)
from ca.randomness import new_key, new_serial
from proa.clock import Clock
from proa.errors import Invalid, Refused
from proa.identity import TrustDomain, WorkloadIdentity, parsed_identity
from proa.mesh import IssuerKey

SHARED_FIXTURES = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
"""The fixtures of these properties are values that an example cannot change."""

labels = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", fullmatch=True)
identities = st.builds(
    WorkloadIdentity,
    st.builds(TrustDomain, st.from_regex(r"[a-z0-9._-]{1,255}", fullmatch=True)),
    labels,
    st.lists(labels, min_size=1, max_size=3).map(".".join),
)


def only(chain: Chain, kind: type[x509.ExtensionType]) -> Any:
    return chain.leaf.extensions.get_extension_for_class(kind).value


def uris(certificate: x509.Certificate) -> list[str]:
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return names.get_values_for_type(x509.UniformResourceIdentifier)


@SHARED_FIXTURES
@given(identity=identities)
def test_every_identity_comes_back_from_its_certificate(
    authority: CertificateAuthority, csr: bytes, identity: WorkloadIdentity
) -> None:
    chain = authority.sign(csr, WorkloadLeaf(identity))
    assert [parsed_identity(uri) for uri in uris(chain.leaf)] == [identity]


@SHARED_FIXTURES
@given(
    common_name=st.text(st.characters(codec="ascii", categories=["Ll", "Lu"]), min_size=12, max_size=50),
    dns_names=st.lists(st.from_regex(r"smuggled-[a-z]{1,20}\.example", fullmatch=True), max_size=3),
    uri=st.from_regex(r"spiffe://evil\.example/ns/[a-z]{1,9}/sa/admin", fullmatch=True),
)
def test_nothing_but_the_key_of_a_request_reaches_the_leaf(
    authority: CertificateAuthority,
    identity: WorkloadIdentity,
    key: ec.EllipticCurvePrivateKey,
    common_name: str,
    dns_names: list[str],
    uri: str,
) -> None:
    names = [x509.UniformResourceIdentifier(uri), *map(x509.DNSName, dns_names)]
    greedy = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)]))
        .add_extension(x509.SubjectAlternativeName(names), critical=True)
        .add_extension(x509.BasicConstraints(ca=True, path_length=9), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), critical=True)
        .sign(key, SHA256())
    )
    leaf = authority.sign(greedy.public_bytes(Encoding.DER), WorkloadLeaf(identity)).leaf
    der = leaf.public_bytes(Encoding.DER)
    assert leaf.public_key() == key.public_key()
    assert uris(leaf) == [identity.uri]
    assert not any(word.encode() in der for word in (common_name, uri, "smuggled"))


@pytest.mark.parametrize("kind", IssuerKey)
def test_roots_and_intermediates_are_made_with_each_kind_of_key(
    trust_domain: TrustDomain, clock: Any, csr: bytes, identity: WorkloadIdentity, kind: IssuerKey
) -> None:
    root = new_root(trust_domain, clock(), kind)
    issuer = new_intermediate(trust_domain, root, clock(), kind)
    made = CertificateAuthority(issuer, (root.issuing.certificate,), clock)
    for each in (root.issuing.certificate, issuer.issuing.certificate):
        assert key_kind(each).replace(" ", "-").replace("P-", "P").lower() == kind
        assert faults(each) == ()
    assert made.sign(csr, WorkloadLeaf(identity)).leaf.signature_hash_algorithm.name == (  # type: ignore[union-attr]
        "sha384" if kind is IssuerKey.ECDSA_P384 else "sha256"
    )


def test_a_workload_leaf_is_good_for_a_day_from_a_minute_ago(
    authority: CertificateAuthority, csr: bytes, identity: WorkloadIdentity, clock: Any
) -> None:
    chain = authority.sign(csr, WorkloadLeaf(identity))
    assert chain.not_before == clock.now.replace(microsecond=0) - timedelta(seconds=60)
    assert chain.not_after - chain.not_before == timedelta(hours=24)


def test_the_lifetime_of_a_leaf_can_be_asked_for(
    authority: CertificateAuthority, csr: bytes, identity: WorkloadIdentity
) -> None:
    chain = authority.sign(csr, WorkloadLeaf(identity), timedelta(hours=1))
    assert chain.not_after - chain.not_before == timedelta(hours=1)


def test_a_lifetime_out_of_bounds_is_refused_before_the_request_is_read(
    authority: CertificateAuthority, identity: WorkloadIdentity
) -> None:
    with pytest.raises(LifetimeRefused):
        authority.sign(b"not read", WorkloadLeaf(identity), timedelta(minutes=59))


@SHARED_FIXTURES
@given(seconds=st.integers(3600, 7862400))
def test_refresh_begins_ten_minutes_or_more_from_either_end(
    authority: CertificateAuthority, csr: bytes, identity: WorkloadIdentity, seconds: int
) -> None:
    chain = authority.sign(csr, WorkloadLeaf(identity), timedelta(seconds=seconds))
    ten = timedelta(minutes=10)
    assert chain.not_before + ten <= chain.begin_refresh_at <= chain.not_after - ten
    assert chain.begin_refresh_at.microsecond == 0
    assert abs((chain.begin_refresh_at - chain.not_before) * 2 - (chain.not_after - chain.not_before)) < ten


def test_a_leaf_is_cut_to_what_the_intermediate_has_left(
    authority: CertificateAuthority, csr: bytes, identity: WorkloadIdentity, clock: Any
) -> None:
    clock.advance(timedelta(days=89, hours=20))
    chain = authority.sign(csr, WorkloadLeaf(identity))
    assert chain.not_after == authority.issuer.issuing.validity.not_after
    assert chain.not_after < clock.now + timedelta(hours=4)


def test_an_expired_intermediate_signs_nothing(
    authority: CertificateAuthority, csr: bytes, identity: WorkloadIdentity, clock: Any
) -> None:
    clock.advance(timedelta(days=91))
    with pytest.raises(IssuerNotValid):
        authority.sign(csr, WorkloadLeaf(identity))


def test_a_serving_leaf_proves_its_names_and_addresses_to_clients_only(
    authority: CertificateAuthority, csr: bytes
) -> None:
    addresses = (ip_address("10.0.0.7"), ip_address("fd00::7"))
    chain = authority.sign(csr, ServingLeaf(("proa-webhook.proa-system.svc",), addresses))
    names = only(chain, x509.SubjectAlternativeName)
    assert names.get_values_for_type(x509.DNSName) == ["proa-webhook.proa-system.svc"]
    assert tuple(names.get_values_for_type(x509.IPAddress)) == addresses
    assert list(only(chain, x509.ExtendedKeyUsage)) == [ExtendedKeyUsageOID.SERVER_AUTH]


def test_a_bad_request_is_rejected_and_the_authority_goes_on(
    authority: CertificateAuthority, csr: bytes, identity: WorkloadIdentity
) -> None:
    with pytest.raises(CsrRejected):
        authority.sign(b"\x30\x03\x02\x01\x00", WorkloadLeaf(identity))
    assert authority.sign(csr, WorkloadLeaf(identity)).serial


def test_every_leaf_is_inspected_the_issuers_own_key_gets_no_certificate(
    authority: CertificateAuthority, identity: WorkloadIdentity
) -> None:
    with pytest.raises(LeafUnfit, match="the issuer's own key"):
        authority.sign(stub_request(authority.issuer.key), WorkloadLeaf(identity))


def test_serials_come_from_the_given_source(
    authority: CertificateAuthority, csr: bytes, identity: WorkloadIdentity
) -> None:
    numbered = CertificateAuthority(
        authority.issuer, authority.roots, authority.clock, serials=iter([2**70, 2**71]).__next__
    )
    assert [numbered.sign(csr, WorkloadLeaf(identity)).serial for _ in range(2)] == [2**70, 2**71]


def test_serials_are_never_twice_the_same_and_of_64_bits_or_more(
    authority: CertificateAuthority, csr: bytes, identity: WorkloadIdentity
) -> None:
    serials = {authority.sign(csr, WorkloadLeaf(identity)).serial for _ in range(50)}
    assert len(serials) == 50
    assert min(serials).bit_length() >= 64


def test_the_chain_is_leaf_then_intermediate_and_the_root_is_in_the_bundle_alone(
    authority: CertificateAuthority, csr: bytes, identity: WorkloadIdentity
) -> None:
    chain = authority.sign(csr, WorkloadLeaf(identity))
    (root,) = x509.load_pem_x509_certificates(authority.trust_bundle.encode())
    leaf, intermediate = x509.load_pem_x509_certificates(chain.pem.encode())
    assert issued_by(leaf, intermediate)
    assert issued_by(intermediate, root)
    assert issued_by(root, root)
    assert not issued_by(leaf, root)


def test_an_intermediate_issues_leaves_only_and_a_root_intermediates_only(authority: CertificateAuthority) -> None:
    constraints = [
        certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
        for certificate in (authority.issuer.issuing.certificate, authority.roots[0])
    ]
    assert [(found.ca, found.path_length) for found in constraints] == [(True, 0), (True, 1)]


def test_the_key_that_is_kept_is_not_the_roots(authority: CertificateAuthority) -> None:
    assert authority.issuer.key.public_key() != authority.roots[0].public_key()
    assert "PrivateKey" not in repr(authority)


def test_two_generations_have_different_names(clock: Clock, trust_domain: TrustDomain) -> None:
    generations = [self_signed_authority(trust_domain, clock) for _ in range(2)]
    names = {
        certificate.subject.rfc4514_string()
        for generation in generations
        for certificate in (generation.roots[0], generation.issuer.issuing.certificate)
    }
    assert len(names) == 4


def test_signing_certificates_carry_the_trust_domain_without_a_path(authority: CertificateAuthority) -> None:
    for certificate in (authority.roots[0], authority.issuer.issuing.certificate):
        assert uris(certificate) == ["spiffe://cluster.local"]


def test_a_trust_domain_of_the_longest_length_makes_an_authority(clock: Clock) -> None:
    domain = TrustDomain("a" * 255)
    assert uris(self_signed_authority(domain, clock).roots[0]) == [domain.uri]


def test_an_authority_whose_roots_are_not_above_its_issuer_is_refused(
    authority: CertificateAuthority, clock: Clock, trust_domain: TrustDomain
) -> None:
    other = self_signed_authority(trust_domain, clock)
    for roots in ((), other.roots):
        with pytest.raises(Invalid, match="none above the issuer"):
            CertificateAuthority(authority.issuer, roots, clock)


def test_an_authority_with_a_default_lifetime_nobody_may_ask_for_is_refused(
    clock: Clock, trust_domain: TrustDomain
) -> None:
    with pytest.raises(LifetimeRefused):
        self_signed_authority(trust_domain, clock, timedelta(minutes=10))


def test_a_root_may_issue_by_itself_and_is_still_not_in_the_chain(
    clock: Clock, csr: bytes, identity: WorkloadIdentity
) -> None:
    key = new_key()
    terms = Terms(key.public_key(), authority_validity(clock(), timedelta(days=9)), new_serial())
    root = root_builder(identity.trust_domain, terms).sign(key, SHA256())
    direct = CertificateAuthority(Issuer(issuing_certificate(root), key), (root,), clock)
    chain = direct.sign(csr, WorkloadLeaf(identity))
    assert chain.intermediates == ()
    assert issued_by(chain.leaf, root)


def test_an_issuer_with_an_rsa_key_issues_too(clock: Clock, csr: bytes, identity: WorkloadIdentity) -> None:
    key = rsa.generate_private_key(65537, 2048)
    terms = Terms(key.public_key(), authority_validity(clock(), timedelta(days=9)), new_serial())
    root = root_builder(identity.trust_domain, terms).sign(key, SHA256())
    chain = CertificateAuthority(Issuer(issuing_certificate(root), key), (root,), clock).sign(
        csr, WorkloadLeaf(identity)
    )
    assert issued_by(chain.leaf, root)


def test_a_certificate_with_a_key_of_another_kind_cannot_issue(clock: Clock, trust_domain: TrustDomain) -> None:
    key = ed25519.Ed25519PrivateKey.generate()
    public_key: Any = key.public_key()
    terms = Terms(public_key, authority_validity(clock(), timedelta(days=9)), new_serial())
    root = root_builder(trust_domain, terms).sign(key, None)
    with pytest.raises(Invalid, match="found Ed25519PublicKey, allowed: ECDSA or RSA"):
        issuing_certificate(root)


def test_a_key_that_belongs_to_another_certificate_and_a_broken_chain_are_both_named(
    authority: CertificateAuthority, clock: Clock, trust_domain: TrustDomain
) -> None:
    other = self_signed_authority(trust_domain, clock).issuer.issuing.certificate
    with pytest.raises(Refused) as caught:
        Issuer(authority.issuer.issuing, new_key(), (other,))
    assert [problem.field for problem in caught.value.problems] == ["key", "chain"]


def test_an_own_key_that_signs_what_its_certificate_does_not_verify_makes_no_issuer(
    clock: Clock, trust_domain: TrustDomain
) -> None:
    """Its public half is right: what a library tells of a key is not what the key does."""
    good = rsa.generate_private_key(65537, 2048)
    numbers = good.private_numbers()
    other = {"d": numbers.d + 2, "dmp1": numbers.dmp1 + 2, "dmq1": numbers.dmq1 + 2}
    unlike = rsa.RSAPrivateNumbers(
        p=numbers.p, q=numbers.q, iqmp=numbers.iqmp, public_numbers=numbers.public_numbers, **other
    ).private_key(unsafe_skip_rsa_key_validation=True)
    terms = Terms(good.public_key(), authority_validity(clock(), timedelta(days=9)), new_serial())
    issuing = issuing_certificate(root_builder(trust_domain, terms).sign(good, SHA256()))
    assert unlike.public_key() == issuing.public_key
    assert Issuer(issuing, good)
    with pytest.raises(Refused) as caught:
        Issuer(issuing, unlike)
    assert [problem.field for problem in caught.value.problems] == ["key"]


def test_an_rsa_signature_that_was_half_miscomputed_does_not_come_out_of_the_library() -> None:
    """It would give the key away, and nothing of ours looks at it (docs/decisions/0056)."""
    good = rsa.generate_private_key(65537, 2048)
    numbers = good.private_numbers()
    half = rsa.RSAPrivateNumbers(
        p=numbers.p,
        q=numbers.q,
        d=numbers.d,
        dmp1=numbers.dmp1 + 2,
        dmq1=numbers.dmq1,
        iqmp=numbers.iqmp,
        public_numbers=numbers.public_numbers,
    ).private_key(unsafe_skip_rsa_key_validation=True)
    good.public_key().verify(half.sign(b"x", PKCS1v15(), SHA256()), b"x", PKCS1v15(), SHA256())


def by_another_key(_: KeyElsewhere, message: bytes) -> bytes:
    return new_key().sign(message, ec.ECDSA(SHA256()))


def of_nothing(_: KeyElsewhere, __: bytes) -> bytes:
    return b""


def test_what_a_keeper_signs_wrongly_does_not_leave_and_what_it_signs_rightly_does(
    authority: CertificateAuthority, clock: Clock, csr: bytes, identity: WorkloadIdentity
) -> None:
    issuing, own = authority.issuer.issuing, authority.issuer.key
    assert isinstance(own, ec.EllipticCurvePrivateKey)
    key = key_elsewhere("pkcs11:token=t;object=o", issuing.public_key)

    def as_it_should(_: KeyElsewhere, message: bytes) -> bytes:
        return own.sign(message, ec.ECDSA(SHA256()))

    def something_else(_: KeyElsewhere, message: bytes) -> bytes:
        return own.sign(message + b"x", ec.ECDSA(SHA256()))

    def by_another_digest(_: KeyElsewhere, message: bytes) -> bytes:
        return own.sign(message, ec.ECDSA(SHA384()))

    def issued(keeper: Keeper) -> Chain:
        return CertificateAuthority(Issuer(issuing, key), authority.roots, clock, keeper=keeper).sign(
            csr, WorkloadLeaf(identity)
        )

    assert issued_by(issued(as_it_should).leaf, issuing.certificate)
    for wrong in (by_another_key, of_nothing, something_else, by_another_digest):
        with pytest.raises(LeafUnfit, match="signature: found one that does not verify"):
            issued(wrong)


def test_a_leaf_cannot_be_made_an_issuer_and_every_reason_is_named(
    authority: CertificateAuthority, csr: bytes, identity: WorkloadIdentity
) -> None:
    bare = authority.sign(csr, WorkloadLeaf(identity)).leaf
    with pytest.raises(Refused) as caught:
        issuing_certificate(bare)
    assert [problem.field for problem in caught.value.problems] == ["basic constraints", "key usage"]


def test_a_root_in_a_chain_is_refused(authority: CertificateAuthority, csr: bytes, identity: WorkloadIdentity) -> None:
    chain = authority.sign(csr, WorkloadLeaf(identity))
    with pytest.raises(Invalid, match="self-issued"):
        Chain(chain.issued, (*chain.above, *map(printed, authority.roots)))


def test_a_credential_bundle_is_key_leaf_intermediate_as_the_kubelet_writes_it(
    authority: CertificateAuthority, csr: bytes, identity: WorkloadIdentity, key: ec.EllipticCurvePrivateKey
) -> None:
    chain = authority.sign(csr, WorkloadLeaf(identity))
    bundle = credential_bundle(key, chain)
    labels = [line for line in bundle.splitlines() if line.startswith("-----BEGIN")]
    assert labels == ["-----BEGIN PRIVATE KEY-----", *["-----BEGIN CERTIFICATE-----"] * 2]
    restored = load_pem_private_key(bundle.encode(), None)
    assert restored.public_key() == chain.leaf.public_key()
    assert x509.load_pem_x509_certificates(bundle.encode()) == [chain.leaf, *chain.intermediates]
