"""Whom a client's certificate proves: a workload by its one identity, and nobody by anything less."""

from datetime import timedelta
from ipaddress import ip_address
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from ca.authority import CertificateAuthority
from ca.certificates import pem
from ca.csr import stub_request
from ca.istio.asked import Certificate
from ca.istio.holder import holder
from ca.istio.verdict import Code, Refuse
from ca.profile import ServingLeaf, WorkloadLeaf
from ca.randomness import new_key
from proa.identity import WorkloadIdentity

HOME = ip_address("10.0.0.1")


def test_a_workloads_certificate_proves_its_identity_from_its_address(
    authority: CertificateAuthority, identity: WorkloadIdentity
) -> None:
    chain = authority.sign(stub_request(new_key()), WorkloadLeaf(identity))
    assert holder(pem(chain.leaf).encode(), HOME) == Certificate(identity, chain.serial, chain.not_after, HOME)


def test_neither_a_servers_certificate_nor_an_issuers_is_a_callers(authority: CertificateAuthority) -> None:
    server = authority.sign(stub_request(new_key()), ServingLeaf(("proa-webhook.proa-system.svc",))).leaf
    shown = {"NotAClientsCertificate": server, "NotALeaf": authority.issuer.issuing.certificate}
    for reason, certificate in shown.items():
        assert holder(pem(certificate).encode(), HOME) == Refuse(Code.UNAUTHENTICATED, reason)


def made(clock: Any, *names: x509.GeneralName, usage: Any = ExtendedKeyUsageOID.CLIENT_AUTH) -> bytes:
    """As another authority of the same roots might make one."""
    key = ec.generate_private_key(ec.SECP256R1())
    nobody, now = x509.Name([]), clock()
    builder = x509.CertificateBuilder(nobody, nobody, key.public_key(), 7, now, now + timedelta(days=1))
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=True)
    return builder.sign(key, SHA256()).public_bytes(Encoding.PEM)


URI = x509.UniformResourceIdentifier


@pytest.mark.parametrize(
    "names",
    [
        (),
        (x509.DNSName("web.shop"),),
        (URI("spiffe://cluster.local/ns/shop/sa/web"), URI("spiffe://cluster.local/ns/shop/sa/admin")),
        (URI("spiffe://cluster.local/web"),),
        (URI("https://cluster.local/ns/shop/sa/web"),),
    ],
)
def test_anything_but_one_identity_proves_nobody(clock: Any, names: tuple[x509.GeneralName, ...]) -> None:
    assert holder(made(clock, *names), HOME) == Refuse(Code.UNAUTHENTICATED, "NotAnIdentity")


def test_a_certificate_for_another_use_or_none_at_all_proves_nobody(clock: Any) -> None:
    other = made(clock, URI("spiffe://cluster.local/ns/shop/sa/web"), usage=ExtendedKeyUsageOID.CODE_SIGNING)
    assert holder(other, HOME) == Refuse(Code.UNAUTHENTICATED, "NotAClientsCertificate")
    assert holder(b"none", HOME) == Refuse(Code.UNAUTHENTICATED, "CertificateUnreadable")
