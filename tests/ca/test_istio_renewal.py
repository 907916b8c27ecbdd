"""Certificates at the door for Istio's clients: renewed while the pod lives, from where it lives, and by no other."""

from datetime import timedelta

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from ca.authority import self_signed_authority
from ca.certificates import Validity, encoded_key, pem
from ca.csr import stub_request
from ca.istio.limits import Rate
from ca.istio.quota import Rates
from ca.leaf import certificate, leaf_form, leaf_tbs
from ca.profile import WorkloadLeaf
from ca.signature import sign
from kube.client import Client
from proa.clock import system_clock
from proa.identity import TrustDomain, parsed_identity
from support.istio import (
    Cluster,
    Credential,
    Running,
    leaf_of,
    open_door,
    opened,
    pem_request,
    private,
    until_known,
    uris,
)

IDENTITY = "spiffe://cluster.local/ns/shop/sa/web"


async def held(cluster: Cluster, running: Running) -> Credential:
    key = ec.generate_private_key(ec.SECP256R1())
    async with running.agent() as agent:
        chain = await agent.asked(pem_request(key), cluster.token("web-1"))
    return Credential(private(key), "".join(chain[:-1]).encode())


async def test_a_certificate_is_renewed_without_a_token_while_its_pod_runs(cluster: Cluster, running: Running) -> None:
    credential = await held(cluster, running)
    async with running.agent(credential) as agent:
        assert uris(leaf_of(await agent.asked(pem_request()))) == [IDENTITY]
        await cluster.remove("/api/v1/namespaces/shop/pods/web-1")
        await agent.until(grpc.StatusCode.PERMISSION_DENIED)
    assert running.count("PERMISSION_DENIED", "NoLivePod") == 1


async def test_a_certificate_is_not_renewed_from_an_address_that_is_no_pod_of_its_identity(
    cluster: Cluster, running: Running
) -> None:
    credential = await held(cluster, running)
    await cluster.pod("web-1", address="10.0.0.9")
    await cluster.pod("far-1", "far", "node-2", address="127.0.0.1")
    await until_known(running, cluster, "far")
    async with running.agent(credential) as agent:
        error = await agent.refused(pem_request())
    assert error.code() is grpc.StatusCode.PERMISSION_DENIED
    assert "no running pod" in error.details()


async def test_a_replica_that_has_lost_the_api_server_for_long_renews_no_certificate_by_what_it_knew(
    cluster: Cluster, cluster_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ca.istio.verdict.LONGEST_BEHIND", 0.0)
    async with open_door(cluster_client, Rates(pod=Rate(10_000, 1.0))) as running:
        await opened(running)
        async with running.agent(await held(cluster, running)) as agent:
            assert await agent.asked(pem_request())
            await cluster.stop()
            await agent.until(grpc.StatusCode.UNAVAILABLE)
            assert running.count("UNAVAILABLE", "ClusterNotFollowed")
            await cluster.start()
            await agent.until(grpc.StatusCode.OK)


async def test_the_port_for_certificates_shakes_hands_with_no_stranger(cluster: Cluster, running: Running) -> None:
    async with running.agent(Credential(*strangers())) as agent:
        error = await agent.refused(pem_request())
    assert error.code() is grpc.StatusCode.UNAVAILABLE
    assert running.count("OK", "Signed") == 0
    assert cluster.reviewed == []


@pytest.mark.parametrize(
    ("ends", "code"), [(-timedelta(minutes=1), grpc.StatusCode.UNAVAILABLE), (timedelta(hours=1), grpc.StatusCode.OK)]
)
async def test_a_certificate_that_has_expired_shakes_no_hands(
    cluster: Cluster, running: Running, ends: timedelta, code: grpc.StatusCode
) -> None:
    authority = running.material.authority
    assert authority is not None
    key, now = ec.generate_private_key(ec.SECP256R1()), system_clock().replace(microsecond=0)
    lived = Validity(now - timedelta(hours=2), now + ends)
    form, contents = leaf_form(authority.issuer.issuing), WorkloadLeaf(parsed_identity(IDENTITY))
    tbs = leaf_tbs(form, contents, encoded_key(key.public_key()), lived, 7)
    leaf = x509.load_der_x509_certificate(certificate(form, tbs, sign(authority.issuer.key, tbs)))
    chain = pem(leaf, *authority.issuer.certificates).encode()
    async with running.agent(Credential(private(key), chain)) as agent:
        assert await agent.code() is code
    assert cluster.reviewed == []


def strangers() -> tuple[bytes, bytes]:
    """A credential of another authority, for the same identity."""
    key = ec.generate_private_key(ec.SECP256R1())
    other = self_signed_authority(TrustDomain("cluster.local"), system_clock)
    return private(key), other.sign(stub_request(key), WorkloadLeaf(parsed_identity(IDENTITY))).pem.encode()
