"""PKCS#10 requests: the empty one a workload sends, and the public key of one that passed every check. Pure.

Nothing but the public key is ever taken from a request: names, usages and lifetimes in it are not even looked at.

Which keys may be certified follows from who will check them. Seen on Envoy 1.40: a certificate with an RSA key
below 2048 bits does not load, and a peer that proves itself with P-521 or Ed25519 is refused in the handshake
(BoringSSL does not offer those algorithms), so that a workload with such a key could talk to no sidecar. RSA ends
at 4096 bits because each handshake pays for the size. Kubernetes' own list for PodCertificateRequests (RSA 3072 and
4096, ECDSA P-256, P-384 and P-521, Ed25519) is wider in kinds: a signer answers the rest with UnsupportedKeyType.
"""

from dataclasses import dataclass
from typing import ClassVar, Final, cast

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, load_der_public_key
from cryptography.x509.oid import SignatureAlgorithmOID

from ca.certificates import PrivateKey, PublicKey
from ca.signature import verifies
from proa.errors import Invalid, shown

LARGEST_REQUEST: Final = 16 * 1024
"""Bytes. Kubernetes stops at 10 KiB; a request for an RSA 4096 key with every usual name is below 3 KiB."""

_CURVES: Final = {"secp256r1", "secp384r1"}  # P-256 and P-384 by their SEC 2 names
_RSA_BITS: Final = range(2048, 4096 + 1)
_RSA_EXPONENT: Final = 65537
_KEYS: Final = "ECDSA P-256 or P-384, RSA of 2048 to 4096 bits"

_ECDSA_SIGNATURES: Final = {
    SignatureAlgorithmOID.ECDSA_WITH_SHA256,
    SignatureAlgorithmOID.ECDSA_WITH_SHA384,
    SignatureAlgorithmOID.ECDSA_WITH_SHA512,
}
_RSA_SIGNATURES: Final = {
    SignatureAlgorithmOID.RSA_WITH_SHA256,
    SignatureAlgorithmOID.RSA_WITH_SHA384,
    SignatureAlgorithmOID.RSA_WITH_SHA512,
}


@dataclass(eq=False)
class CsrRejected(Invalid):
    """A certificate signing request that will never be signed, however often it is sent again."""

    code: ClassVar[str] = "csr_rejected"


def stub_request(key: PrivateKey) -> bytes:
    """The request the kubelet makes for a pod: DER, no names, only *key*'s public half and its signature."""
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, SHA256())
    return request.public_bytes(Encoding.DER)


def checked_public_key(csr: bytes) -> PublicKey:
    """The public key of *csr* (DER or PEM), whose holder signed it; CsrRejected otherwise.

    Size, key and algorithm come first: verifying the signature costs more than all of them together.
    """
    if len(csr) > LARGEST_REQUEST:
        raise CsrRejected("request", f"{len(csr)} bytes", f"at most {LARGEST_REQUEST} bytes")
    request = _parsed(csr)
    key = _allowed_key(request)
    _check_algorithm(request, key)
    digest = request.signature_hash_algorithm
    # With the key as it was read: `is_signature_valid` reads it once more.
    if digest is None or not verifies(key, request.signature, request.tbs_certrequest_bytes, digest):
        raise CsrRejected("signature", "one that does not verify", "a signature made by the key in the request")
    return key


@dataclass(frozen=True, slots=True)
class Proof:
    """What kubelets older than 1.36 send instead of a request: a *key* (SubjectPublicKeyInfo, DER) and its *signature*
    of the pod's UID (k8s.io/api/certificates/v1beta1 types.go)."""

    key: bytes
    signature: bytes


def proven_public_key(proof: Proof, pod_uid: str) -> PublicKey:
    """The key of *proof*, whose holder signed *pod_uid*; CsrRejected otherwise."""
    if len(proof.key) > LARGEST_REQUEST:
        raise CsrRejected("public key", f"{len(proof.key)} bytes", f"at most {LARGEST_REQUEST} bytes")
    try:
        read = load_der_public_key(proof.key)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise CsrRejected("public key", "one that cannot be read", _KEYS) from error
    key = certifiable_key(cast("CertificatePublicKeyTypes", read))
    try:
        match key:
            case ec.EllipticCurvePublicKey():
                key.verify(proof.signature, pod_uid.encode(), ec.ECDSA(SHA256()))
            case rsa.RSAPublicKey():
                key.verify(proof.signature, pod_uid.encode(), PSS(MGF1(SHA256()), PSS.AUTO), SHA256())
    except InvalidSignature as error:
        allowed = "the pod's UID, signed by the key that is to be certified"
        raise CsrRejected("signature", "one that does not verify", allowed) from error
    return key


def _parsed(csr: bytes) -> x509.CertificateSigningRequest:
    read = x509.load_pem_x509_csr if csr.lstrip().startswith(b"-----BEGIN") else x509.load_der_x509_csr
    try:
        return read(csr)
    except (ValueError, x509.InvalidVersion) as error:
        # Never shown: somebody may have sent a private key by mistake.
        found = f"{len(csr)} bytes that are none"
        raise CsrRejected("request", found, "a PKCS#10 request (RFC 2986) in DER or PEM") from error


def _allowed_key(request: x509.CertificateSigningRequest) -> PublicKey:
    try:
        key = request.public_key()
    except (ValueError, UnsupportedAlgorithm) as error:
        raise CsrRejected("public key", "one that cannot be read", _KEYS) from error
    return certifiable_key(key)


def certifiable_key(key: CertificatePublicKeyTypes) -> PublicKey:
    """*key* itself where every peer can verify its signatures; CsrRejected otherwise."""
    match key:
        case ec.EllipticCurvePublicKey() if key.curve.name in _CURVES:
            return key
        case rsa.RSAPublicKey() if key.key_size in _RSA_BITS:
            _check_exponent(key)
            return key
        case _:
            raise CsrRejected("public key", _described(key), _KEYS)


def _check_exponent(key: rsa.RSAPublicKey) -> None:
    exponent = key.public_numbers().e
    if exponent != _RSA_EXPONENT:
        raise CsrRejected("public key exponent", shown(exponent), f"{_RSA_EXPONENT}, as every generator makes it")


def _check_algorithm(request: x509.CertificateSigningRequest, key: PublicKey) -> None:
    allowed = _ECDSA_SIGNATURES if isinstance(key, ec.EllipticCurvePublicKey) else _RSA_SIGNATURES
    found = request.signature_algorithm_oid
    if found not in allowed:
        raise CsrRejected("signature algorithm", found.dotted_string, "SHA-256, SHA-384 or SHA-512 with the key's kind")


def _described(key: CertificatePublicKeyTypes) -> str:
    match key:
        case ec.EllipticCurvePublicKey():
            return f"ECDSA {key.curve.name}"
        case rsa.RSAPublicKey():
            return f"RSA of {key.key_size} bits"
        case _:
            return type(key).__name__.removesuffix("PublicKey")
