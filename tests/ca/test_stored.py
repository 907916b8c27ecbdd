"""The Secrets come back as they were written, admins' own are read, what does not fit is named and never shown."""

from base64 import b64decode, b64encode
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from hypothesis import given
from hypothesis import strategies as st

from ca.authority import new_intermediate, new_root
from ca.certificates import issuing_certificate, pem
from ca.material import Issuer, Material
from ca.profile import ROOT_LIFETIME, Terms, WorkloadLeaf, authority_validity, root_builder
from ca.randomness import new_key, new_serial
from ca.root_secret import roots_secret, stored_roots
from ca.stored import SECRET_TYPE, material_secret, stored_material
from proa.errors import Refused
from proa.identity import TrustDomain


@pytest.fixture
def root(trust_domain: TrustDomain, clock: Any) -> Issuer:
    return new_root(trust_domain, clock())


@pytest.fixture
def material(trust_domain: TrustDomain, root: Issuer, clock: Any) -> Material:
    return Material(new_intermediate(trust_domain, root, clock()), (root.issuing.certificate,))


@pytest.fixture
def secret(material: Material) -> Any:
    return material_secret(material)


def encoded(text: str | bytes) -> str:
    return b64encode(text.encode() if isinstance(text, str) else text).decode()


def with_data(secret: Any, **data: str | bytes) -> Any:
    changed = {key.replace("_", "."): encoded(value) for key, value in data.items()}
    return {**secret, "data": {**secret["data"], **changed}}


def written(key: Any, encryption: Any = None) -> bytes:
    result: bytes = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption())
    return result


def of_numbers(bits: int) -> rsa.RSAPrivateKey:
    """An RSA key of numbers that do not fit each other, which is found out last."""
    one, other = 2 ** (bits // 2) - 1, 2 ** (bits // 2) - 3
    numbers = rsa.RSAPrivateNumbers(one, other, 65537, 3, 5, 7, rsa.RSAPublicNumbers(65537, one * other))
    return numbers.private_key(unsafe_skip_rsa_key_validation=True)


def armoured(key: bytes) -> str:
    return f"-----BEGIN PRIVATE KEY-----\n{b64encode(key).decode()}\n-----END PRIVATE KEY-----\n"


def test_a_stored_issuer_is_read_as_it_was_written(material: Material, secret: Any) -> None:
    read = stored_material(secret)
    assert read.issuer.certificates == material.issuer.certificates
    assert read.roots == material.roots
    assert material_secret(read) == secret
    assert secret["type"] == SECRET_TYPE == "proa.dev/ca"
    assert secret["metadata"]["name"] == "proa-ca"
    assert secret["metadata"]["namespace"] == "proa-system"


def test_a_secret_that_is_read_again_holds_the_same(secret: Any) -> None:
    assert stored_material(secret) == stored_material(secret)


def test_a_stored_root_is_read_as_it_was_written_and_renews_the_issuer(
    trust_domain: TrustDomain, root: Issuer, clock: Any
) -> None:
    (read,) = stored_roots(roots_secret((root,)))
    assert read.certificates == root.certificates
    assert Material(new_intermediate(trust_domain, read, clock()), (root.issuing.certificate,))


def test_the_issuers_secret_does_not_hold_the_roots_key(root: Issuer, secret: Any) -> None:
    values = b"".join(b64decode(value) for value in secret["data"].values())
    assert values.count(b"PRIVATE KEY") == 2, "one key, its begin and its end"
    assert written(root.key) not in values


def test_what_cert_manager_writes_is_read_too(secret: Any) -> None:
    assert stored_material({**secret, "type": "kubernetes.io/tls"})


def test_a_chain_that_ends_with_its_root_is_the_same_chain(material: Material, root: Issuer, secret: Any) -> None:
    whole = pem(*material.issuer.certificates, root.issuing.certificate)
    assert stored_material(with_data(secret, tls_crt=whole)).issuer.above == ()


def test_a_second_root_may_stand_beside_the_issuers_own(
    trust_domain: TrustDomain, root: Issuer, secret: Any, clock: Any
) -> None:
    other = new_root(trust_domain, clock())
    read = stored_material(with_data(secret, ca_crt=pem(other.issuing.certificate, root.issuing.certificate)))
    assert len(read.roots) == 2
    assert read.root == root.issuing.certificate


def test_a_root_may_issue_by_itself(root: Issuer, secret: Any) -> None:
    certificate = pem(root.issuing.certificate)
    read = stored_material(with_data(secret, tls_crt=certificate, tls_key=written(root.key), ca_crt=certificate))
    assert read.issuer.issuing.certificate == read.root


def test_an_empty_secret_is_refused_with_everything_it_lacks() -> None:
    for secret in ({"data": {}}, {}, None, {"data": None}):
        with pytest.raises(Refused) as caught:
            stored_material(secret)  # type: ignore[arg-type]
        assert {problem.field for problem in caught.value.problems} == {"data.ca.crt", "data.tls.crt", "data.tls.key"}


def test_the_key_of_another_certificate_is_refused(secret: Any) -> None:
    with pytest.raises(Refused, match="the key of another certificate"):
        stored_material(with_data(secret, tls_key=written(new_key())))


def test_a_key_that_says_its_public_half_were_the_certificates_is_refused(material: Material, secret: Any) -> None:
    """PKCS#8 has room for both halves, and whoever writes it need not be honest."""
    own, other = new_key(), material.issuer.key
    halves = [each.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint) for each in (own, other)]
    honest = own.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    assert halves[0] in honest
    with pytest.raises(Refused, match=r"data\.tls\.key"):
        stored_material(with_data(secret, tls_key=armoured(honest.replace(*halves))))


def test_roots_that_did_not_issue_the_issuer_are_refused(trust_domain: TrustDomain, secret: Any, clock: Any) -> None:
    other = pem(new_root(trust_domain, clock()).issuing.certificate)
    with pytest.raises(Refused, match="none above the issuer"):
        stored_material(with_data(secret, ca_crt=other))


def test_the_same_root_twice_is_refused(root: Issuer, secret: Any) -> None:
    with pytest.raises(Refused, match="the same one twice"):
        stored_material(with_data(secret, ca_crt=pem(root.issuing.certificate) * 2))


def test_an_intermediate_among_the_roots_is_refused(material: Material, root: Issuer, secret: Any) -> None:
    both = pem(root.issuing.certificate, material.issuer.issuing.certificate)
    with pytest.raises(Refused, match=r"roots\.1: found a certificate of another one"):
        stored_material(with_data(secret, ca_crt=both))


def test_a_leaf_that_stands_for_the_issuer_is_refused(authority: Any, csr: bytes, identity: Any, secret: Any) -> None:
    leaf = authority.sign(csr, WorkloadLeaf(identity)).leaf
    with pytest.raises(Refused, match=r"basic constraints: found no CA"):
        stored_material(with_data(secret, tls_crt=pem(leaf)))


def test_an_intermediate_below_one_that_allows_none_is_refused(
    trust_domain: TrustDomain, material: Material, secret: Any, clock: Any
) -> None:
    below = new_intermediate(trust_domain, material.issuer, clock())
    chain = pem(*below.certificates, *material.issuer.certificates)
    with pytest.raises(Refused, match=r"chain\.1: found path length 0, allowed: 1 or more"):
        stored_material(with_data(secret, tls_crt=chain, tls_key=written(below.key)))


@pytest.mark.parametrize(
    ("key", "found"),
    [
        (written(new_key(), BestAvailableEncryption(b"sesame")), "an encrypted key"),
        (written(ed25519.Ed25519PrivateKey.generate()), "Ed25519PrivateKey"),
        (b"-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n", "bytes that are none"),
        (b"\xff\x00", "2 bytes that are none"),
        (written(of_numbers(8192)), "RSA of 8192 bits, allowed: .* of 2048 to 4096"),
        (written(of_numbers(2048)), "bytes that are none"),
    ],
)
def test_a_key_that_cannot_sign_is_refused_and_not_shown(secret: Any, key: bytes, found: str) -> None:
    with pytest.raises(Refused, match=found) as caught:
        stored_material(with_data(secret, tls_key=key))
    assert "c2VjcmV0" not in str(caught.value)


def test_an_issuer_whose_signatures_sidecars_cannot_verify_is_refused(trust_domain: TrustDomain, clock: Any) -> None:
    for key in (ec.generate_private_key(ec.SECP521R1()), rsa.generate_private_key(65537, 1024)):  # noqa: S505
        terms = Terms(key.public_key(), authority_validity(clock(), ROOT_LIFETIME), new_serial())
        certificate = root_builder(trust_domain, terms).sign(key, SHA256())
        with pytest.raises(Refused, match="issuer's key: found"):
            Material(Issuer(issuing_certificate(certificate), key), (certificate,))


@given(st.dictionaries(st.sampled_from(["tls.crt", "tls.key", "ca.crt"]), st.text() | st.binary().map(encoded)))
def test_any_other_content_is_refused_and_never_shown(data: dict[str, str]) -> None:
    with pytest.raises(Refused) as caught:
        stored_material({"data": data})  # type: ignore[dict-item]
    assert all(value not in str(caught.value) for value in data.values() if len(value) > 12)
