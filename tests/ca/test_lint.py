"""Every certificate of ours passes a lint after RFC 5280 and X509-SVID; each rule finds what it is there for."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier
from hypothesis import given, settings
from hypothesis import strategies as st

from ca.authority import CertificateAuthority, self_signed_authority
from ca.csr import stub_request
from ca.lint import faults
from ca.profile import ServingLeaf, WorkloadLeaf
from proa.identity import TrustDomain, WorkloadIdentity

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
AUTHORITY = self_signed_authority(TrustDomain("cluster.local"), lambda: NOW)
KEYS = (
    ec.generate_private_key(ec.SECP256R1()),
    ec.generate_private_key(ec.SECP384R1()),
    rsa.generate_private_key(65537, 2048),
)
KEY = KEYS[0]
labels = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", fullmatch=True)
workloads = st.builds(WorkloadLeaf, st.builds(WorkloadIdentity, st.just(TrustDomain("cluster.local")), labels, labels))
servers = st.builds(ServingLeaf, st.tuples(labels.map(lambda label: f"{label}.svc")), st.just((ip_address("::1"),)))


@settings(max_examples=60, deadline=None)
@given(st.one_of(workloads, servers), st.sampled_from(KEYS), st.integers(3600, 7862400))
def test_every_leaf_passes(contents: Any, key: Any, seconds: int) -> None:
    chain = AUTHORITY.sign(stub_request(key), contents, timedelta(seconds=seconds))
    assert faults(chain.leaf) == ()


def test_the_root_and_the_intermediate_pass(authority: CertificateAuthority) -> None:
    for each in (*authority.roots, *authority.issuer.certificates):
        assert faults(each) == ()


SVID = x509.UniformResourceIdentifier("spiffe://cluster.local/ns/shop/sa/web")
BOTH = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
NAME = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "somebody")])


def usage(**set_: bool) -> x509.KeyUsage:
    every = (
        "digital_signature content_commitment key_encipherment data_encipherment key_agreement key_cert_sign crl_sign "
        "encipher_only decipher_only"
    )
    return x509.KeyUsage(**{name: set_.get(name, False) for name in every.split()})


def made(
    *,
    names: Any = (SVID,),
    critical: bool = True,
    key_usage: Any = None,
    extended: Any = BOTH,
    basic: Any = None,
    subject: x509.Name = x509.Name([]),  # noqa: B008 - immutable
    key: Any = KEY,
    digest: Any = SHA256(),  # noqa: B008 - immutable
    serial: int = 7,
    extra: Any = (),
) -> x509.Certificate:
    """A leaf in order, but for what is given."""
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(NAME)
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(NOW)
        .not_valid_after(NOW + timedelta(days=1))
        .add_extension(x509.AuthorityKeyIdentifier(b"k", None, None), critical=False)
        .add_extension(key_usage or usage(digital_signature=True), critical=True)
        .add_extension(basic or x509.BasicConstraints(ca=False, path_length=None), critical=True)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=critical)
    if extended:
        builder = builder.add_extension(x509.ExtendedKeyUsage(extended), critical=False)
    for each, is_critical in extra:
        builder = builder.add_extension(each, critical=is_critical)
    return builder.sign(key, digest)


def test_the_yardstick_itself_passes() -> None:
    assert faults(made()) == ()


UNKNOWN = x509.UnrecognizedExtension(ObjectIdentifier("1.3.6.1.4.1.99999.1"), b"\x05\x00")


@pytest.mark.parametrize(
    ("spoilt", "words"),
    [
        ({"names": ()}, "subject alternative name: found nothing"),
        ({"critical": False}, "found not critical, allowed: critical, as the subject is empty"),
        ({"names": (SVID, x509.UniformResourceIdentifier("https://x.example"))}, "SPIFFE id: found 2 URIs"),
        ({"names": (x509.UniformResourceIdentifier("spiffe://cluster.local/web"),)}, "SPIFFE id: found"),
        ({"extended": [ExtendedKeyUsageOID.CLIENT_AUTH]}, "extended key usage: found one of the two"),
        ({"key_usage": usage(key_encipherment=True)}, "no digitalSignature"),
        ({"key_usage": usage(digital_signature=True, crl_sign=True)}, "keyCertSign or cRLSign"),
        ({"key": ec.generate_private_key(ec.SECP521R1())}, "public key: found ECDSA secp521r1"),
        ({"key": ed25519.Ed25519PrivateKey.generate(), "digest": None}, "public key: found Ed25519"),
        ({"extra": [(UNKNOWN, True)]}, "critical 1.3.6.1.4.1.99999.1"),
        (
            {"extra": [(x509.SubjectKeyIdentifier(b"k"), True)]},
            "subject key identifier: found critical",
        ),
        ({"basic": x509.BasicConstraints(ca=True, path_length=0)}, "no keyCertSign"),
        ({"basic": x509.BasicConstraints(ca=True, path_length=0)}, "subject: found empty"),
    ],
)
def test_what_is_wrong_is_named_with_the_rule(spoilt: dict[str, Any], words: str) -> None:
    assert any(words in str(each) for each in faults(made(**spoilt))), faults(made(**spoilt))
