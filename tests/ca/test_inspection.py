"""Wrong certificates, made by hand and signed by the real issuer: each fault must be named before the leaf leaves."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.hashes import SHA256, SHA384
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ca import der
from ca.authority import CertificateAuthority, self_signed_authority
from ca.certificates import encoded_key
from ca.custody import MadeElsewhere, MadeHere, Signature, nobody, signed
from ca.differences import Asked
from ca.fields import EXTENSIONS, fields
from ca.inspection import LeafUnfit, inspected, yardstick
from ca.profile import ServingLeaf, WorkloadLeaf
from ca.signature import signed_element
from proa.clock import Clock
from proa.identity import TrustDomain, WorkloadIdentity

Extensions = dict[type[x509.ExtensionType], tuple[x509.ExtensionType, bool]]
Name = x509.UniformResourceIdentifier
NOT_CRITICAL = (x509.ExtendedKeyUsage, x509.AuthorityKeyIdentifier, x509.SubjectKeyIdentifier)
SERVER, CLIENT = ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH


def usage(*bits: str) -> x509.KeyUsage:
    names = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
    names += ("key_cert_sign", "crl_sign", "encipher_only", "decipher_only")
    return x509.KeyUsage(**{name: name in bits for name in names})


@dataclass(frozen=True)
class Draft:
    """A certificate written field by field, right until a test makes it wrong."""

    public_key: Any
    issuer: x509.Name
    signer: Any
    not_before: datetime
    not_after: datetime
    extensions: Extensions
    subject: x509.Name = field(default_factory=lambda: x509.Name([]))
    digest: Any = field(default_factory=SHA256)
    serial: int = 2**80

    def having(self, value: x509.ExtensionType, *, critical: bool | None = None) -> "Draft":
        critical = not isinstance(value, NOT_CRITICAL) if critical is None else critical
        return replace(self, extensions={**self.extensions, type(value): (value, critical)})

    def without(self, kind: type[x509.ExtensionType]) -> "Draft":
        return replace(self, extensions={k: v for k, v in self.extensions.items() if k is not kind})

    def signed(self) -> x509.Certificate:
        builder = x509.CertificateBuilder(self.issuer, self.subject, self.public_key, self.serial)
        builder = builder.not_valid_before(self.not_before).not_valid_after(self.not_after)
        for value, critical in self.extensions.values():
            builder = builder.add_extension(value, critical)
        return builder.sign(self.signer, None if isinstance(self.signer, ed25519.Ed25519PrivateKey) else self.digest)


@pytest.fixture
def asked(authority: CertificateAuthority, identity: WorkloadIdentity, key: ec.EllipticCurvePrivateKey) -> Asked:
    return Asked(WorkloadLeaf(identity), encoded_key(key.public_key()), authority.issuer.issuing, timedelta(hours=24))


@pytest.fixture
def draft(
    authority: CertificateAuthority,
    asked: Asked,
    identity: WorkloadIdentity,
    key: ec.EllipticCurvePrivateKey,
    clock: Clock,
) -> Draft:
    begin = clock().replace(microsecond=0)
    extensions: Extensions = {
        x509.BasicConstraints: (x509.BasicConstraints(ca=False, path_length=None), True),
        x509.KeyUsage: (usage("digital_signature"), True),
        x509.SubjectKeyIdentifier: (x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False),
        x509.AuthorityKeyIdentifier: (x509.AuthorityKeyIdentifier(asked.issuer.key_identifier, None, None), False),
        x509.ExtendedKeyUsage: (x509.ExtendedKeyUsage([SERVER, CLIENT]), False),
        x509.SubjectAlternativeName: (x509.SubjectAlternativeName([Name(identity.uri)]), True),
    }
    return Draft(
        key.public_key(),
        asked.issuer.certificate.subject,
        authority.issuer.key,
        begin,
        begin + timedelta(hours=24),
        extensions,
    )


Origin = Callable[[x509.Certificate, Asked], Signature]


def here(leaf: x509.Certificate, asked: Asked) -> Signature:
    """As if the issuer's key, which is this process's, had signed *leaf* a moment ago."""
    return MadeHere(asked.issuer, leaf.tbs_certificate_bytes, leaf.signature)


def elsewhere(leaf: x509.Certificate, _: Asked) -> Signature:
    return MadeElsewhere(leaf.tbs_certificate_bytes, leaf.signature)


ORIGINS = pytest.mark.parametrize("origin", [here, elsewhere])


def inspect(leaf: x509.Certificate, asked: Asked, origin: Origin = elsewhere) -> None:
    made, by = leaf.public_bytes(Encoding.DER), yardstick(asked.issuer)
    assert inspected(made, origin(leaf, asked), asked, by) == leaf


def refused(made: bytes, signature: Signature, asked: Asked) -> list[str]:
    with pytest.raises(LeafUnfit) as caught:
        inspected(made, signature, asked, yardstick(asked.issuer))
    return [problem.field for problem in caught.value.problems]


def faults(leaf: x509.Certificate, asked: Asked, origin: Origin = elsewhere) -> list[str]:
    return refused(leaf.public_bytes(Encoding.DER), origin(leaf, asked), asked)


@ORIGINS
def test_the_right_certificate_passes(draft: Draft, asked: Asked, origin: Origin) -> None:
    inspect(draft.signed(), asked, origin)


NAMES, SUBJECT = "subject alternative name", "subject"
URI = "spiffe://cluster.local/ns/shop/sa/web"

WRONG: dict[str, tuple[Callable[[Draft], Draft], list[str]]] = {
    "no name at all": (lambda d: d.without(x509.SubjectAlternativeName), [NAMES]),
    "another identity": (lambda d: d.having(x509.SubjectAlternativeName([Name(URI + "2")])), [NAMES]),
    "the identity twice": (lambda d: d.having(x509.SubjectAlternativeName([Name(URI), Name(URI)])), [NAMES]),
    "a second identity": (lambda d: d.having(x509.SubjectAlternativeName([Name(URI), Name(URI + "2")])), [NAMES]),
    "the identity and a DNS name": (
        lambda d: d.having(x509.SubjectAlternativeName([Name(URI), x509.DNSName("web.shop")])),
        [NAMES],
    ),
    "the identity as a DNS name": (lambda d: d.having(x509.SubjectAlternativeName([x509.DNSName(URI)])), [NAMES]),
    "names that are not critical": (
        lambda d: d.having(x509.SubjectAlternativeName([Name(URI)]), critical=False),
        [NAMES],
    ),
    "names that cannot be read": (
        lambda d: d.without(x509.SubjectAlternativeName).having(
            x509.UnrecognizedExtension(x509.SubjectAlternativeName.oid, b"\x30\x05")
        ),
        ["extensions"],
    ),
    "an extension nobody asked for": (
        lambda d: d.having(x509.InhibitAnyPolicy(0)),
        ["extensions"],
    ),
    "a subject": (
        lambda d: replace(d, subject=x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "web")])),
        [SUBJECT],
    ),
    "a CA": (lambda d: d.having(x509.BasicConstraints(ca=True, path_length=0)), ["basic constraints"]),
    "no basic constraints": (lambda d: d.without(x509.BasicConstraints), ["basic constraints"]),
    "no key usage": (lambda d: d.without(x509.KeyUsage), ["key usage"]),
    "a key usage that is not critical": (
        lambda d: d.having(usage("digital_signature"), critical=False),
        ["key usage"],
    ),
    "an extended key usage that is critical": (
        lambda d: d.having(x509.ExtendedKeyUsage([SERVER, CLIENT]), critical=True),
        ["extended key usage"],
    ),
    "a key that may sign certificates": (
        lambda d: d.having(usage("digital_signature", "key_cert_sign")),
        ["key usage"],
    ),
    "a key that may sign revocations": (lambda d: d.having(usage("digital_signature", "crl_sign")), ["key usage"]),
    "a key that may not sign": (lambda d: d.having(usage("key_encipherment")), ["key usage"]),
    "no extended key usage": (lambda d: d.without(x509.ExtendedKeyUsage), ["extended key usage"]),
    "a server only": (lambda d: d.having(x509.ExtendedKeyUsage([SERVER])), ["extended key usage"]),
    "a client only": (lambda d: d.having(x509.ExtendedKeyUsage([CLIENT])), ["extended key usage"]),
    "a usage too many": (
        lambda d: d.having(x509.ExtendedKeyUsage([SERVER, CLIENT, ExtendedKeyUsageOID.CODE_SIGNING])),
        ["extended key usage"],
    ),
    "no pointer to the issuer's key": (lambda d: d.without(x509.AuthorityKeyIdentifier), ["authority key identifier"]),
    "a pointer to another key": (
        lambda d: d.having(x509.AuthorityKeyIdentifier(b"\x00" * 20, None, None)),
        ["authority key identifier"],
    ),
    "no name of its own key": (lambda d: d.without(x509.SubjectKeyIdentifier), ["subject key identifier"]),
    "the name of another key": (
        lambda d: d.having(x509.SubjectKeyIdentifier(b"\x00" * 20)),
        ["subject key identifier"],
    ),
    "a digest that the issuer's key does not use": (lambda d: replace(d, digest=SHA384()), ["encoding"]),
    "a beginning before the issuer's": (
        lambda d: replace(d, not_before=d.not_before - timedelta(hours=1), not_after=d.not_after - timedelta(hours=1)),
        ["validity"],
    ),
    "an end after the issuer's": (
        lambda d: replace(d, not_before=d.not_before + timedelta(days=90), not_after=d.not_after + timedelta(days=90)),
        ["validity"],
    ),
    "a second too long": (lambda d: replace(d, not_after=d.not_after + timedelta(seconds=1)), ["lifetime"]),
    "another key": (
        lambda d: replace(d, public_key=ec.generate_private_key(ec.SECP256R1()).public_key()),
        ["public key"],
    ),
    "a signature by another key": (
        lambda d: replace(d, signer=ec.generate_private_key(ec.SECP256R1())),
        ["signature"],
    ),
    "a signature by a key of another kind": (
        lambda d: replace(d, signer=rsa.generate_private_key(65537, 2048)),
        ["signature"],
    ),
    "a signature without a digest": (lambda d: replace(d, signer=ed25519.Ed25519PrivateKey.generate()), ["signature"]),
    "another issuer's name": (
        lambda d: replace(d, issuer=x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "another")])),
        ["issuer"],
    ),
}


@pytest.mark.parametrize("fault", WRONG)
def test_each_fault_is_named_and_nothing_else_is(fault: str, draft: Draft, asked: Asked) -> None:
    change, named = WRONG[fault]
    assert faults(change(draft).signed(), asked) == named


@pytest.mark.parametrize("fault", [fault for fault, (_, named) in WRONG.items() if named != ["signature"]])
def test_each_fault_but_the_signatures_is_named_as_well_where_our_own_key_signed_it(
    fault: str, draft: Draft, asked: Asked
) -> None:
    change, named = WRONG[fault]
    assert faults(change(draft).signed(), asked, here) == named


def test_what_the_key_of_another_issuer_signed_here_is_refused(
    draft: Draft, asked: Asked, trust_domain: TrustDomain, clock: Clock
) -> None:
    leaf, other = draft.signed(), self_signed_authority(trust_domain, clock).issuer.issuing
    signature = MadeHere(other, leaf.tbs_certificate_bytes, leaf.signature)
    assert refused(leaf.public_bytes(Encoding.DER), signature, asked) == ["encoding"]


@ORIGINS
def test_a_leaf_with_the_signature_of_another_one_is_refused(draft: Draft, asked: Asked, origin: Origin) -> None:
    one, other = draft.signed(), replace(draft, serial=draft.serial + 1).signed()
    mixed = signed_element(one.tbs_certificate_bytes, yardstick(asked.issuer).algorithm, other.signature)
    for each in (one, other):
        assert refused(mixed, origin(each, asked), asked) == ["signature"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=10, deadline=None)
@given(change=st.integers(1, 255))
def test_a_signature_from_elsewhere_with_any_octet_changed_is_refused(draft: Draft, asked: Asked, change: int) -> None:
    right = draft.signed()
    tbs, signature = right.tbs_certificate_bytes, right.signature
    for place in range(len(signature)):
        wrong = signature[:place] + bytes([signature[place] ^ change]) + signature[place + 1 :]
        made = signed_element(tbs, yardstick(asked.issuer).algorithm, wrong)
        assert refused(made, MadeElsewhere(tbs, wrong), asked) == ["signature"]


def test_the_issuers_own_key_is_refused_even_when_it_was_asked_for(
    draft: Draft, asked: Asked, authority: CertificateAuthority
) -> None:
    own = authority.issuer.key.public_key()
    draft = draft.having(x509.SubjectKeyIdentifier.from_public_key(own))
    assert faults(replace(draft, public_key=own).signed(), replace(asked, key=encoded_key(own))) == ["public key"]


def test_a_leaf_of_another_authority_is_refused(
    asked: Asked, csr: bytes, identity: WorkloadIdentity, trust_domain: TrustDomain, clock: Clock
) -> None:
    other = self_signed_authority(trust_domain, clock).sign(csr, WorkloadLeaf(identity))
    assert {"issuer", "signature", "authority key identifier"} <= set(faults(other.leaf, asked))


def test_all_faults_are_named_at_once_with_the_identity(draft: Draft, asked: Asked) -> None:
    wrong = (
        replace(draft, not_after=draft.not_after + timedelta(days=1))
        .having(x509.BasicConstraints(ca=True, path_length=None))
        .having(x509.SubjectAlternativeName([Name("spiffe://evil.example/a")]), critical=False)
    )
    with pytest.raises(LeafUnfit) as caught:
        inspect(wrong.signed(), asked)
    assert [problem.field for problem in caught.value.problems] == ["lifetime", NAMES, "basic constraints"]
    assert caught.value.code == "leaf_unfit"
    message = str(caught.value)
    assert message.startswith(f"the certificate for {URI} is not usable:")
    assert "spiffe://evil.example/a" in message


def test_a_serving_leaf_must_have_its_names_exactly_and_prove_no_client(draft: Draft, asked: Asked) -> None:
    serving = replace(asked, contents=ServingLeaf(("a.svc", "b.svc"), (ip_address("::1"),)))
    names = [x509.DNSName("a.svc"), x509.DNSName("b.svc"), x509.IPAddress(ip_address("::1"))]
    right = draft.having(x509.ExtendedKeyUsage([SERVER])).having(x509.SubjectAlternativeName(names))
    inspect(right.signed(), serving)
    assert faults(right.having(x509.SubjectAlternativeName(names[1:])).signed(), serving) == [NAMES]
    assert faults(right.having(x509.ExtendedKeyUsage([SERVER, CLIENT])).signed(), serving) == ["extended key usage"]
    assert faults(draft.signed(), serving) == [NAMES, "extended key usage"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(chosen=st.sets(st.sampled_from(["a subject", "a CA", "no key usage", "a server only", "a second too long"])))
def test_any_combination_of_faults_is_named_in_full(draft: Draft, asked: Asked, chosen: set[str]) -> None:
    wrong, named = draft, list[str]()
    for fault in chosen:
        change, fields = WRONG[fault]
        wrong, named = change(wrong), named + fields
    if named:
        assert sorted(faults(wrong.signed(), asked)) == sorted(named)
    else:
        inspect(wrong.signed(), asked)


@ORIGINS
@pytest.mark.filterwarnings("ignore::UserWarning")  # the library's, about serial numbers and names that are spoilt
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=10, deadline=None)
@given(change=st.integers(1, 255))
def test_a_leaf_with_any_octet_changed_is_refused(draft: Draft, asked: Asked, change: int, origin: Origin) -> None:
    leaf = draft.signed()
    right, signature = leaf.public_bytes(Encoding.DER), origin(leaf, asked)
    for place in range(len(right)):
        wrong = right[:place] + bytes([right[place] ^ change]) + right[place + 1 :]
        assert refused(wrong, signature, asked)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.integers(1, 600), more=st.binary(max_size=3))
def test_a_leaf_that_is_cut_short_or_goes_on_is_refused(draft: Draft, asked: Asked, cut: int, more: bytes) -> None:
    leaf = draft.signed()
    right = leaf.public_bytes(Encoding.DER)
    for wrong in {right[:-cut], right[:-cut] + more, right + more + b"\0"} - {right}:  # by chance
        assert refused(wrong, here(leaf, asked), asked)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.permutations(range(6)))
def test_extensions_in_another_order_are_refused(draft: Draft, asked: Asked, order: list[int]) -> None:
    every = list(draft.extensions.items())
    mixed = replace(draft, extensions=dict(every[number] for number in order)).signed()
    if order == sorted(order):
        inspect(mixed, asked)
    else:
        assert faults(mixed, asked) == ["encoding"]


@pytest.mark.parametrize("missing", range(6))
def test_an_extension_twice_instead_of_another_is_refused(
    draft: Draft, asked: Asked, authority: CertificateAuthority, missing: int
) -> None:
    cut = fields(draft.signed().public_bytes(Encoding.DER))
    listed = der.elements(der.only(der.value(cut.extensions, EXTENSIONS), der.SEQUENCE))
    listed[missing] = listed[missing - 1]
    twice = der.framed(EXTENSIONS, der.framed(der.SEQUENCE, b"".join(listed)))
    tbs = der.framed(der.SEQUENCE, b"".join((*cut[1:8], twice)))
    signature = signed(authority.issuer, tbs, nobody)
    assert refused(signed_element(tbs, cut.algorithm, signature.value), signature, asked)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, 5))
def test_an_extension_in_the_place_of_another_is_refused(draft: Draft, asked: Asked, place: int) -> None:
    kind = list(draft.extensions)[place]
    wrong = draft.without(kind).having(x509.InhibitAnyPolicy(0))
    assert "extensions" in faults(wrong.signed(), asked)


def test_what_is_no_certificate_at_all_is_refused(draft: Draft, asked: Asked) -> None:
    for wrong in (b"", b"\x30\x00", b"\x30\x03\x02\x01\x00", b"x" * 400):
        assert refused(wrong, here(draft.signed(), asked), asked) == ["certificate"]
