"""A leaf as we write it is, byte for byte, what the library would write; and the library reads it as it was meant."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given, settings
from hypothesis import strategies as st

from ca.authority import CertificateAuthority
from ca.certificates import IssuingCertificate, PublicKey, Validity, encoded_key, key_identifier
from ca.fields import fields
from ca.leaf import certificate, leaf_form, leaf_tbs
from ca.material import Issuer
from ca.profile import LeafContents, ServingLeaf, WorkloadLeaf
from ca.signature import digest, sign
from proa.identity import TrustDomain, WorkloadIdentity
from support.issuers import KINDS, material

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ISSUERS = {kind: material(kind, TrustDomain("cluster.local"), lambda: NOW).issuer for kind in KINDS}
KEYS: tuple[PublicKey, ...] = tuple(
    key.public_key()
    for key in (
        ec.generate_private_key(ec.SECP256R1()),
        ec.generate_private_key(ec.SECP384R1()),
        rsa.generate_private_key(65537, 2048),
        rsa.generate_private_key(65537, 4096),
    )
)
labels = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", fullmatch=True)
domains = st.builds(TrustDomain, st.from_regex(r"[a-z0-9._-]{1,255}", fullmatch=True))
workloads = st.builds(WorkloadLeaf, st.builds(WorkloadIdentity, domains, labels, labels))
addresses = st.lists(st.ip_addresses(), max_size=3).map(tuple)
servers = st.builds(ServingLeaf, st.lists(labels, min_size=1, max_size=40).map(tuple), addresses)
moments = st.datetimes(datetime(2000, 1, 1), datetime(2120, 1, 1)).map(  # noqa: DTZ001 - UTC follows
    lambda found: found.replace(microsecond=0, tzinfo=UTC)
)


def by_the_library(
    issuer: IssuingCertificate, contents: LeafContents, key: PublicKey, validity: Validity, serial: int
) -> x509.CertificateBuilder:
    """The same leaf, the extensions in the same order."""
    never = ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
    never += ("key_cert_sign", "crl_sign", "encipher_only", "decipher_only")
    usage = dict.fromkeys(never, False)
    usages, names = [ExtendedKeyUsageOID.SERVER_AUTH], list[x509.GeneralName]()
    match contents:
        case WorkloadLeaf(identity):
            usages.append(ExtendedKeyUsageOID.CLIENT_AUTH)
            names.append(x509.UniformResourceIdentifier(identity.uri))
        case ServingLeaf(dns_names, found):
            names += [*map(x509.DNSName, dns_names), *map(x509.IPAddress, found)]
    return (
        x509.CertificateBuilder(issuer.certificate.subject, x509.Name([]), key, serial)
        .not_valid_before(validity.not_before)
        .not_valid_after(validity.not_after)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(digital_signature=True, **usage), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier(issuer.key_identifier, None, None), critical=False)
        .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=True)
    )


@settings(deadline=None, max_examples=300)
@given(
    kind=st.sampled_from(KINDS[:3]),
    contents=st.one_of(workloads, servers),
    key=st.sampled_from(KEYS),
    begin=moments,
    life=st.integers(0, 7862400),
    serial=st.integers(1, 2**159 - 1),
)
def test_what_is_signed_is_what_the_library_would_sign(
    kind: str, contents: LeafContents, key: PublicKey, begin: datetime, life: int, serial: int
) -> None:
    issuer, validity = ISSUERS[kind], Validity(begin, begin + timedelta(seconds=life))
    builder = by_the_library(issuer.issuing, contents, key, validity, serial)
    expected = builder.sign(issuer.key, digest(issuer.key)).tbs_certificate_bytes
    assert leaf_tbs(leaf_form(issuer.issuing), contents, encoded_key(key), validity, serial) == expected


@pytest.mark.parametrize("kind", KINDS)
def test_a_signed_leaf_reads_as_the_library_says_by_each_kind_of_issuer(kind: str) -> None:
    issuer, validity = ISSUERS[kind], Validity(NOW, NOW + timedelta(days=1))
    contents = ServingLeaf(("a.svc",), (ip_address("::1"),))
    form = leaf_form(issuer.issuing)
    tbs = leaf_tbs(form, contents, encoded_key(KEYS[0]), validity, 7)
    made = certificate(form, tbs, sign(issuer.key, tbs))
    leaf = x509.load_der_x509_certificate(made)
    leaf.verify_directly_issued_by(issuer.issuing.certificate)
    assert leaf.public_bytes(Encoding.DER) == made
    found = fields(made)
    assert (found.tbs, found.signature) == (leaf.tbs_certificate_bytes, leaf.signature)


@pytest.mark.parametrize("key", KEYS)
def test_a_keys_name_is_the_librarys(key: Any) -> None:
    assert key_identifier(encoded_key(key)) == x509.SubjectKeyIdentifier.from_public_key(key).digest


def test_the_issuers_name_is_taken_over_as_it_stands_there(authority: CertificateAuthority) -> None:
    issuer: Issuer = authority.issuer
    made = leaf_tbs(
        leaf_form(issuer.issuing), ServingLeaf(("a.svc",)), encoded_key(KEYS[0]), Validity(NOW, NOW), 2**159 - 1
    )
    assert fields(issuer.issuing.certificate.public_bytes(Encoding.DER)).subject in made
