"""Whose key is taken from a request, and which requests never get that far."""

from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import assume, given
from hypothesis import strategies as st

from ca.csr import LARGEST_REQUEST, CsrRejected, checked_public_key, stub_request
from proa.errors import Invalid

KEY = ec.generate_private_key(ec.SECP256R1())
REQUEST = stub_request(KEY)
POINT = (Encoding.X962, PublicFormat.UncompressedPoint)


def signed(key: Any, digest: hashes.HashAlgorithm | None = None) -> bytes:
    digest = None if isinstance(key, ed25519.Ed25519PrivateKey) else digest or hashes.SHA256()
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, digest)
    return request.public_bytes(Encoding.DER)


def as_pem(request: bytes) -> bytes:
    return x509.load_der_x509_csr(request).public_bytes(Encoding.PEM)


def refusal(request: bytes) -> CsrRejected:
    with pytest.raises(CsrRejected) as caught:
        checked_public_key(request)
    return caught.value


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1()], ids=lambda curve: curve.name)
def test_an_ecdsa_key_that_every_sidecar_can_verify_is_taken(curve: ec.EllipticCurve) -> None:
    key = ec.generate_private_key(curve)
    assert checked_public_key(signed(key)) == key.public_key()


@pytest.mark.parametrize("bits", [2048, 4096])
def test_an_rsa_key_from_2048_to_4096_bits_is_taken(bits: int) -> None:
    key = rsa.generate_private_key(65537, bits)
    assert checked_public_key(signed(key)) == key.public_key()


@pytest.mark.parametrize("digest", [hashes.SHA256(), hashes.SHA384(), hashes.SHA512()], ids=lambda d: d.name)
def test_every_digest_of_the_sha_2_family_from_256_bits_is_taken(digest: hashes.HashAlgorithm) -> None:
    assert checked_public_key(signed(KEY, digest)) == KEY.public_key()


def test_pem_is_read_as_well_as_der_and_blank_space_before_it_does_no_harm() -> None:
    assert checked_public_key(b"\n  " + as_pem(REQUEST)) == KEY.public_key()


def test_a_curve_that_envoy_peers_refuse_in_the_handshake_is_refused_here() -> None:
    problem = refusal(signed(ec.generate_private_key(ec.SECP521R1()), hashes.SHA512()))
    assert (problem.field, problem.found) == ("public key", "ECDSA secp521r1")
    assert "P-256" in problem.allowed


def test_ed25519_is_refused_by_name() -> None:
    problem = refusal(signed(ed25519.Ed25519PrivateKey.generate()))
    assert (problem.field, problem.found) == ("public key", "Ed25519")


@pytest.mark.parametrize("bits", [1024, 2047, 4104])
def test_an_rsa_key_outside_the_bounds_is_refused_with_its_size(bits: int) -> None:
    problem = refusal(signed(rsa.generate_private_key(65537, bits)))
    assert (problem.field, problem.found) == ("public key", f"RSA of {bits} bits")


def test_an_rsa_exponent_of_three_is_refused() -> None:
    problem = refusal(signed(rsa.generate_private_key(3, 2048)))
    assert (problem.field, problem.found) == ("public key exponent", "3")


def test_a_weak_digest_is_refused_by_its_object_identifier() -> None:
    problem = refusal(signed(KEY, hashes.SHA224()))
    assert (problem.field, problem.found) == ("signature algorithm", "1.2.840.10045.4.3.1")


def test_sha_1_is_refused() -> None:
    sha_256, sha_1 = bytes.fromhex("06082a8648ce3d040302"), bytes.fromhex("06072a8648ce3d0401")
    request = REQUEST.replace(b"\x30\x0a" + sha_256, b"\x30\x09" + sha_1)
    request = request[:2] + bytes([request[2] - 1]) + request[3:]  # the outer length: long form, one byte
    problem = refusal(request)
    assert (problem.field, problem.found) == ("signature algorithm", "1.2.840.10045.4.1")


def test_a_request_signed_by_another_key_is_refused() -> None:
    own, other = (key.public_key().public_bytes(*POINT) for key in (KEY, ec.generate_private_key(ec.SECP256R1())))
    problem = refusal(REQUEST.replace(own, other))
    assert problem.field == "signature"


def test_a_request_over_the_bound_is_refused_by_its_size_alone() -> None:
    problem = refusal(as_pem(REQUEST) + b"\n" * LARGEST_REQUEST)
    assert problem.field == "request"
    assert str(LARGEST_REQUEST) in problem.allowed


def test_a_request_of_just_the_largest_size_is_read() -> None:
    request = as_pem(REQUEST)
    padded = b"\n" * (LARGEST_REQUEST - len(request)) + request
    assert checked_public_key(padded) == KEY.public_key()


def test_a_private_key_sent_by_mistake_is_not_echoed() -> None:
    secret = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    message = str(refusal(secret))
    assert not any(line in message for line in secret.decode().splitlines())
    assert f"{len(secret)} bytes" in message


def test_the_refusal_is_an_invalid_value_with_a_code_of_its_own() -> None:
    problem = refusal(b"")
    assert isinstance(problem, Invalid)
    assert problem.code == "csr_rejected"


def test_the_stub_request_holds_no_name_and_no_attribute() -> None:
    request = x509.load_der_x509_csr(REQUEST)
    assert not list(request.subject)
    assert not list(request.extensions)
    assert not list(request.attributes)


@given(st.binary(max_size=600))
def test_random_bytes_are_always_refused_and_never_crash(request_bytes: bytes) -> None:
    refusal(request_bytes)


@given(st.binary(max_size=300))
def test_random_bytes_inside_a_pem_frame_are_always_refused(body: bytes) -> None:
    refusal(b"-----BEGIN CERTIFICATE REQUEST-----\n" + body + b"\n-----END CERTIFICATE REQUEST-----\n")


@given(st.integers(0, len(REQUEST) - 1), st.integers(1, 255))
def test_a_request_with_any_byte_changed_is_always_refused(at: int, difference: int) -> None:
    # How many bits at the signature's end are unused: what was signed is the same, whatever it says there.
    assume(at != len(REQUEST) - len(x509.load_der_x509_csr(REQUEST).signature) - 1)
    refusal(REQUEST[:at] + bytes([REQUEST[at] ^ difference]) + REQUEST[at + 1 :])
