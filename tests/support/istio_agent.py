"""What an agent of Istio's does, in a pod: asks with its token, then with the certificate it was given.

Run there, beside what protoc made of the protocol; prints what came of it.
"""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import grpc
import istio_ca_pb2  # type: ignore[import-not-found]
import istio_ca_pb2_grpc  # type: ignore[import-not-found]
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.verification import PolicyBuilder, Store

HOST = "proa-ca.proa-system.svc"
ROOTS = Path("/identity/roots.pem").read_bytes()
NOBODY = ("UNAVAILABLE", "DEADLINE_EXCEEDED")
PATIENCE = 60.0
"""Seconds. A test beside may take every replica away at once."""


def asked(port: int, csr: bytes, token: str = "", holding: Any = (None, None), **metadata: str) -> Any:
    """The answer's certificates, or the name of the code with which there was none: not that nobody is there now, or
    nobody who answers in time, after which Istio's agent asks again, too."""
    last = time.monotonic() + PATIENCE
    while (answer := asked_once(port, csr, token, holding, **metadata)) in NOBODY and time.monotonic() < last:
        time.sleep(1)
    return answer


def asked_once(port: int, csr: bytes, token: str, holding: Any, **metadata: str) -> Any:
    with grpc.secure_channel(f"{HOST}:{port}", grpc.ssl_channel_credentials(ROOTS, *holding)) as channel:
        request = istio_ca_pb2.IstioCertificateRequest(csr=csr.decode(), validity_duration=3600)
        request.metadata.update(metadata)
        headers = (("authorization", f"Bearer {token}"),) if token else ()
        stub = istio_ca_pb2_grpc.IstioCertificateServiceStub(channel)
        try:
            return list(stub.CreateCertificate(request, metadata=headers, timeout=20).cert_chain)
        except grpc.RpcError as error:
            print(port, error.code().name, error.details(), file=sys.stderr)  # noqa: T201 - for who wonders
            return error.code().name


def shown(answer: Any) -> Any:
    """The URI that the leaf of an answer proves, up to the roots."""
    if isinstance(answer, str):
        return answer
    leaf, *above = (x509.load_pem_x509_certificate(text.encode()) for text in answer[:-1])
    store = Store(x509.load_pem_x509_certificates(ROOTS))
    PolicyBuilder().store(store).build_client_verifier().verify(leaf, above)
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return names.get_values_for_type(x509.UniformResourceIdentifier)


def renewed(request: bytes, secret: bytes, held: list[str]) -> Any:
    """By the port where nobody is heard who shows no certificate."""
    return shown(asked(15013, request, holding=(secret, "".join(held[:-1]).encode())))


def main() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    csr = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, SHA256())
    request = csr.public_bytes(Encoding.PEM)
    token = os.environ.get("TOKEN") or Path("/identity/token").read_text()
    other = Path("/var/run/secrets/kubernetes.io/serviceaccount/token").read_text()
    first = asked(15012, request, token)
    found = {
        "token": shown(first),
        "renewal": renewed(request, secret, first) if isinstance(first, list) else first,
        "nothing": shown(asked(15012, request)),
        "audience": shown(asked(15012, request, other)),
        "impersonation": shown(asked(15012, request, token, ImpersonatedIdentity=os.environ["WANTED"])),
    }
    print(json.dumps(found))  # noqa: T201 - it is read from the pod's log


main()
