"""Istio's own client, over TLS, against the door: who gets a certificate, and with what words others do not."""

import asyncio
import socket
import subprocess
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.verification import PolicyBuilder, Store
from structlog.testing import capture_logs

from ca.authority import self_signed_authority
from ca.certificates import Validity, pem
from ca.csr import stub_request
from ca.istio.door import Addresses
from ca.istio.limits import Rate
from ca.istio.quota import Rates
from ca.profile import Terms, WorkloadLeaf, leaf_builder
from kube.client import Client, connected
from proa.clock import system_clock
from proa.identity import TrustDomain, parsed_identity
from support.door import until
from support.istio import OPEN, Cluster, Credential, Running, leaf_of, open_door, opened, pem_request, private
from support.reaching import reached

IDENTITY = "spiffe://cluster.local/ns/shop/sa/web"
CONFIGURATION = "/api/v1/namespaces/proa-system/configmaps/proa"


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    server = Cluster()
    await server.start()
    await server.put(CONFIGURATION, data={"mesh.yaml": OPEN})
    await server.pod("web-1")
    yield server
    await server.stop()


@pytest.fixture
async def client(cluster: Cluster, tmp_path: Path) -> AsyncIterator[Client]:
    async with connected(cluster.kubeconfig(tmp_path)) as client:
        yield client


@pytest.fixture
async def running(client: Client) -> AsyncIterator[Running]:
    async with open_door(client) as running:
        await opened(running)
        yield running


def uris(leaf: Any) -> list[str]:
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert len(list(names)) == 1
    return list(names.get_values_for_type(x509.UniformResourceIdentifier))


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
    ("wrong", "reason", "asked"),
    [
        ({"audience": "kubernetes"}, "OtherAudience", False),
        ({"hours": -1}, "TokenExpired", False),
        ({"unbound": True}, "TokenNotBound", False),
        ({"silent": True}, "TokenNotBound", True),
        ({"node": "node-2"}, "NodeMismatch", True),
        ({"account": "admin"}, "ServiceAccountMismatch", True),
    ],
)
async def test_a_token_that_is_not_a_running_pods_own_gets_nothing(
    cluster: Cluster, running: Running, wrong: dict[str, Any], reason: str, asked: bool
) -> None:
    async with running.agent() as agent:
        error = await agent.refused(pem_request(), cluster.token("web-1", **wrong))
    assert error.code() is grpc.StatusCode.UNAUTHENTICATED
    assert reason not in error.details(), "who is not known is not told why"
    assert running.count("UNAUTHENTICATED", reason) == 1
    assert bool(cluster.reviewed) is asked


@pytest.mark.parametrize(
    "token", [None, "", "x", "a.b.c", "e30.e30.e30", "ä.ö.ü", "x" * 17_000, "a." + "W" * 9000 + ".c"]
)
async def test_what_is_no_token_is_refused_without_asking_the_api_server(
    cluster: Cluster, running: Running, token: str | None
) -> None:
    shown = token.encode().decode("latin-1") if token and token.isascii() else token and "%C3"
    async with running.agent() as agent:
        error = await agent.refused(pem_request(), shown)
    assert error.code() is grpc.StatusCode.UNAUTHENTICATED
    assert cluster.reviewed == []


async def test_a_forged_token_is_reviewed_once_and_then_remembered(cluster: Cluster, running: Running) -> None:
    head, claims, _ = cluster.token("web-1").split(".")
    async with running.agent() as agent:
        for _ in range(3):
            error = await agent.refused(pem_request(), f"{head}.{claims}.forged")
            assert error.code() is grpc.StatusCode.UNAUTHENTICATED
    assert len(cluster.reviewed) == 1


async def test_a_token_is_reviewed_once_for_all_who_show_it_at_a_time(cluster: Cluster, running: Running) -> None:
    token = cluster.token("web-1")
    cluster.reviewing.clear()
    async with running.agent() as agent:
        asking = [asyncio.create_task(agent.asked(pem_request(), token)) for _ in range(8)]
        await until(lambda: cluster.reviewed)
        cluster.reviewing.set()
        assert len({leaf_of(chain).serial_number for chain in await asyncio.gather(*asking)}) == 8
    assert cluster.reviewed == [token]


async def test_who_gives_up_does_not_end_the_review_of_others(cluster: Cluster, running: Running) -> None:
    token = cluster.token("web-1")
    cluster.reviewing.clear()
    async with running.agent() as agent:
        first = asyncio.create_task(agent.asked(pem_request(), token))
        await until(lambda: cluster.reviewed)
        second = asyncio.create_task(agent.asked(pem_request(), token))
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        cluster.reviewing.set()
        assert uris(leaf_of(await second)) == [IDENTITY]
    assert cluster.reviewed == [token]


@pytest.mark.parametrize("status", [403, 429, 500, 503])
async def test_while_the_api_server_does_not_answer_a_caller_is_told_to_come_again(
    cluster: Cluster, running: Running, status: int
) -> None:
    token = cluster.token("web-1")
    cluster.failing = status
    async with running.agent() as agent:
        assert (await agent.refused(pem_request(), token)).code() is grpc.StatusCode.UNAVAILABLE
        cluster.failing = None
        assert await agent.asked(pem_request(), token)


async def test_a_pod_that_is_gone_gets_nothing_though_its_token_was_reviewed(
    cluster: Cluster, running: Running
) -> None:
    token = cluster.token("web-1")
    async with running.agent() as agent:
        assert await agent.asked(pem_request(), token)
        await cluster.remove("/api/v1/namespaces/shop/pods/web-1")
        await agent.until(grpc.StatusCode.UNAVAILABLE, token)
    assert running.count("UNAVAILABLE", "PodNotKnown") == 1
    assert len(cluster.reviewed) == 1


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


async def until_known(running: Running, cluster: Cluster, account: str) -> None:
    """A pod of *account* is served, so everything that was written before it is known."""
    async with running.agent() as agent:
        await agent.until(grpc.StatusCode.OK, cluster.token(f"{account}-1", account, node="node-2"))


async def test_another_signer_is_refused_by_name(cluster: Cluster, running: Running) -> None:
    async with running.agent() as agent:
        error = await agent.refused(pem_request(), cluster.token("web-1"), CertSigner="example.com/other")
        assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert await agent.asked(pem_request(), cluster.token("web-1"), CertSigner="proa.dev/workload")


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
    cluster: Cluster, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ca.istio.verdict.LONGEST_BEHIND", 0.0)
    async with open_door(client, Rates(pod=Rate(10_000, 1.0))) as running:
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
    builder = leaf_builder(
        WorkloadLeaf(parsed_identity(IDENTITY)), Terms(key.public_key(), lived, 7), authority.issuer.issuing
    )
    leaf = builder.sign(authority.issuer.key, SHA256())
    chain = pem(leaf, *authority.issuer.certificates).encode()
    async with running.agent(Credential(private(key), chain)) as agent:
        assert await agent.code() is code
    assert cluster.reviewed == []


def strangers() -> tuple[bytes, bytes]:
    """A credential of another authority, for the same identity."""
    key = ec.generate_private_key(ec.SECP256R1())
    other = self_signed_authority(TrustDomain("cluster.local"), system_clock)
    return private(key), other.sign(stub_request(key), WorkloadLeaf(parsed_identity(IDENTITY))).pem.encode()


async def test_a_pod_that_asks_too_often_is_put_off_and_told_for_how_long(cluster: Cluster, client: Client) -> None:
    async with open_door(client, Rates(pod=Rate(2, 3600.0))) as running:
        await opened(running)
        await cluster.pod("web-2")
        token = cluster.token("web-1")
        async with running.agent() as agent:
            for _ in range(2):
                assert await agent.asked(pem_request(), token)
            error = await agent.refused(pem_request(), token)
            assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
            assert int(dict(error.trailing_metadata())["grpc-retry-pushback-ms"]) > 3_000_000
            another = await agent.asked(pem_request(), cluster.token("web-2"))
            assert uris(leaf_of(another)) == [IDENTITY]


async def test_the_door_opens_and_closes_with_the_configuration(cluster: Cluster, client: Client) -> None:
    await cluster.put(CONFIGURATION, data={"mesh.yaml": "{}"})
    async with open_door(client) as running:
        await until(lambda: running.material.authority)
        assert (running.door.bound, running.door.unready) == ((), "")
        await cluster.put(CONFIGURATION, data={"mesh.yaml": OPEN})
        await opened(running)
        async with running.agent() as agent:
            assert await agent.asked(pem_request(), cluster.token("web-1"))
        await cluster.put(CONFIGURATION, data={"mesh.yaml": "{}"})
        await until(lambda: not running.door.bound)


async def test_a_door_that_may_not_read_what_it_needs_says_so(cluster: Cluster, client: Client) -> None:
    cluster.forbidden = "/api/v1/pods"
    async with open_door(client) as running:
        await until(lambda: "403" in running.door.unready)
        assert running.door.unready.startswith("the door of Istio's protocol has not read the pods yet: ")


async def test_a_port_that_is_taken_ends_no_authority_and_the_door_opens_when_it_is_free(
    cluster: Cluster, client: Client
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with socket.create_server(("127.0.0.1", 0)) as free:
            other = free.getsockname()[1]
        addresses = Addresses(f"127.0.0.1:{other}", f"127.0.0.1:{port}")
        async with open_door(client, addresses=addresses) as running:
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
