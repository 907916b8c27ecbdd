"""Istio's own client, over TLS, against the door: what it is given, and what is wrong with what it asks."""

import socket
import subprocess
from pathlib import Path

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.verification import PolicyBuilder, Store
from structlog.testing import capture_logs

from ca.istio.door import Addresses
from kube.client import Client
from support.door import until
from support.istio import (
    CONFIGURATION,
    OPEN,
    Cluster,
    Running,
    leaf_of,
    open_door,
    opened,
    pem_request,
    until_known,
    uris,
)
from support.ports import free_ports
from support.reaching import reached

IDENTITY = "spiffe://cluster.local/ns/shop/sa/web"


async def test_a_pods_token_gets_its_service_accounts_identity_and_openssl_verifies_it(
    cluster: Cluster, running: Running, tmp_path: Path
) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    async with running.agent() as agent:
        chain = await agent.asked(pem_request(key), cluster.token("web-1"), 7200)
    leaf = leaf_of(chain)
    assert leaf.public_key() == key.public_key()
    assert uris(leaf) == [IDENTITY]
    assert (leaf.not_valid_after_utc - leaf.not_valid_before_utc).total_seconds() == 7200
    verified_by_openssl(chain, tmp_path)
    roots = x509.load_pem_x509_certificates(chain[-1].encode())
    above = [each for text in chain[1:-1] for each in x509.load_pem_x509_certificates(text.encode())]
    assert PolicyBuilder().store(Store(roots)).build_client_verifier().verify(leaf, above).chain


def verified_by_openssl(chain: list[str], directory: Path) -> None:
    for name, content in {"leaf": chain[0], "above": chain[1], "roots": chain[-1]}.items():
        (directory / name).write_text(content)
    trust = ("-CAfile", directory / "roots", "-no-CApath", "-no-CAstore", "-untrusted", directory / "above")
    for purpose in ("sslserver", "sslclient"):
        command = ["openssl", "verify", "-x509_strict", "-purpose", purpose, *trust, directory / "leaf"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
        assert done.returncode == 0, done.stderr


async def test_the_answer_is_laid_out_as_istios_clients_read_it(cluster: Cluster, running: Running) -> None:
    async with running.agent() as agent:
        chain = await agent.asked(pem_request(), cluster.token("web-1"))
    assert len(chain) == 3
    assert [text.count("BEGIN CERTIFICATE") for text in chain] == [1, 1, 1]
    assert all(text.endswith("-----END CERTIFICATE-----\n") for text in chain)
    assert chain[-1].encode() == running.roots


async def test_an_agents_rsa_key_of_2048_bits_is_certified(cluster: Cluster, running: Running) -> None:
    key = rsa.generate_private_key(65537, 2048)
    async with running.agent() as agent:
        chain = await agent.asked(pem_request(key), cluster.token("web-1"))
    assert leaf_of(chain).public_key() == key.public_key()


async def test_names_in_a_request_are_worth_nothing(cluster: Cluster, running: Running) -> None:
    async with running.agent() as agent:
        chain = await agent.asked(
            pem_request(uri="spiffe://cluster.local/ns/kube-system/sa/admin"), cluster.token("web-1")
        )
    assert uris(leaf_of(chain)) == [IDENTITY]


@pytest.mark.parametrize(
    ("csr", "words"),
    [
        (b"", "none"),
        (b"-----BEGIN CERTIFICATE REQUEST-----\n", "none"),
        (b"x" * 17_000, "at most 16384 bytes"),
        (pem_request(ec.generate_private_key(ec.SECP521R1())), "secp521r1"),
        (pem_request(rsa.generate_private_key(65537, 1024)), "RSA of 1024 bits"),  # noqa: S505
    ],
)
async def test_a_request_that_can_never_be_signed_is_refused_for_good_and_says_why(
    cluster: Cluster, running: Running, csr: bytes, words: str
) -> None:
    async with running.agent() as agent:
        error = await agent.refused(csr, cluster.token("web-1"))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert words in error.details()


async def test_a_message_larger_than_any_request_is_not_even_read(cluster: Cluster, running: Running) -> None:
    async with running.agent() as agent:
        error = await agent.refused(b"x" * 40_000, cluster.token("web-1"))
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert cluster.reviewed == []


@pytest.mark.parametrize(("seconds", "given"), [(0, 86400), (-5, 86400), (3600, 3600), (2**62, 86400)])
async def test_a_certificate_lives_as_asked_and_no_longer_than_the_meshs(
    cluster: Cluster, running: Running, seconds: int, given: int
) -> None:
    async with running.agent() as agent:
        leaf = leaf_of(await agent.asked(pem_request(), cluster.token("web-1"), seconds))
    assert (leaf.not_valid_after_utc - leaf.not_valid_before_utc).total_seconds() == given


async def test_nobody_is_given_a_longer_life_than_they_asked_for(cluster: Cluster, running: Running) -> None:
    async with running.agent() as agent:
        error = await agent.refused(pem_request(), cluster.token("web-1"), 600)
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_a_proxy_of_a_node_asks_for_pods_of_its_own_node_and_for_no_others(
    cluster: Cluster, running: Running
) -> None:
    await cluster.pod("ztunnel-1", "ztunnel", namespace="mesh")
    await cluster.pod("far-1", "far", "node-2")
    await until_known(running, cluster, "far")
    token = cluster.token("ztunnel-1", "ztunnel", "mesh")
    async with running.agent() as agent:
        chain = await agent.asked(pem_request(), token, ImpersonatedIdentity=IDENTITY)
        assert uris(leaf_of(chain)) == [IDENTITY]
        own = "spiffe://cluster.local/ns/mesh/sa/ztunnel"
        assert uris(leaf_of(await agent.asked(pem_request(), token))) == [own]
        codes = {
            "spiffe://cluster.local/ns/shop/sa/far": grpc.StatusCode.UNAVAILABLE,
            "spiffe://elsewhere/ns/shop/sa/web": grpc.StatusCode.PERMISSION_DENIED,
            "https://shop": grpc.StatusCode.INVALID_ARGUMENT,
        }
        for wanted, code in codes.items():
            assert (await agent.refused(pem_request(), token, ImpersonatedIdentity=wanted)).code() is code
        ordinary = await agent.refused(pem_request(), cluster.token("web-1"), ImpersonatedIdentity=IDENTITY)
        assert ordinary.code() is grpc.StatusCode.PERMISSION_DENIED


async def test_another_signer_is_refused_by_name(cluster: Cluster, running: Running) -> None:
    async with running.agent() as agent:
        error = await agent.refused(pem_request(), cluster.token("web-1"), CertSigner="example.com/other")
        assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert await agent.asked(pem_request(), cluster.token("web-1"), CertSigner="proa.dev/workload")


async def test_the_door_opens_and_closes_with_the_configuration(cluster: Cluster, cluster_client: Client) -> None:
    await cluster.put(CONFIGURATION, data={"mesh.yaml": "{}"})
    async with open_door(cluster_client) as running:
        await until(lambda: running.material.authority)
        assert (running.door.bound, running.door.unready) == ((), "")
        await cluster.put(CONFIGURATION, data={"mesh.yaml": OPEN})
        await opened(running)
        async with running.agent() as agent:
            assert await agent.asked(pem_request(), cluster.token("web-1"))
        await cluster.put(CONFIGURATION, data={"mesh.yaml": "{}"})
        await until(lambda: not running.door.bound)


async def test_who_comes_while_the_address_of_a_stopping_authority_is_still_known_is_served(
    cluster: Cluster, cluster_client: Client
) -> None:
    async with open_door(cluster_client, lag=5.0) as running:
        await opened(running)
        running.stopping.set()
        async with running.agent() as agent:
            await agent.until(grpc.StatusCode.OK, cluster.token("web-1"))
        await until(lambda: not running.door.bound)


async def test_a_door_that_may_not_read_what_it_needs_says_so(cluster: Cluster, cluster_client: Client) -> None:
    cluster.forbidden = "/api/v1/pods"
    async with open_door(cluster_client) as running:
        await until(lambda: "403" in running.door.unready)
        assert running.door.unready.startswith("the door of Istio's protocol has not read the pods yet: ")


async def test_a_port_that_is_taken_ends_no_authority_and_the_door_opens_when_it_is_free(
    cluster: Cluster, cluster_client: Client
) -> None:
    other, port = free_ports(2)
    with socket.create_server(("127.0.0.1", port)) as taken:
        addresses = Addresses(f"127.0.0.1:{other}", f"127.0.0.1:{port}")
        async with open_door(cluster_client, addresses=addresses) as running:
            await until(lambda: f"127.0.0.1:{port}, which is taken" in running.door.unready)
            taken.close()
            await reached(lambda: running.door.bound == (other, port), 20)
            async with running.agent() as agent:
                assert await agent.asked(pem_request(), cluster.token("web-1"))


async def test_each_decision_is_one_line_without_a_token_or_a_key(cluster: Cluster, running: Running) -> None:
    token, csr = cluster.token("web-1"), pem_request()
    with capture_logs() as logs:
        async with running.agent() as agent:
            chain = await agent.asked(csr, token)
            error = await agent.refused(b"", token)
    lines = [each for each in logs if each.get("door") == "istio"]
    assert [each["event"] for each in lines] == ["issued", "refused"]
    first, second = lines
    assert first["serial"] == f"{leaf_of(chain).serial_number:x}"
    assert (first["namespace"], first["service_account"], first["pod"], first["credential"]) == (
        "shop",
        "web",
        "web-1",
        "JTI=id-0",
    )
    assert second["request"] in error.details()
    said = repr(logs)
    assert token not in said
    assert token.split(".")[1] not in said
    assert csr.decode().splitlines()[1] not in said


async def test_refusals_beyond_what_the_log_takes_are_counted_and_say_so(cluster: Cluster, running: Running) -> None:
    token = cluster.token("web-1")
    with capture_logs() as logs:
        async with running.agent() as agent:
            errors = [await agent.refused(b"", token) for _ in range(14)]
    assert len([each for each in logs if each["event"] == "refused"]) == 10
    assert "in the authority's log" in str(errors[0].details())
    assert "not in the authority's log" in str(errors[-1].details())
    assert running.metrics.registry.get_sample_value("proa_ca_istio_refusals_not_logged_total") == 4
