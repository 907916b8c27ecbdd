"""A Secret for each service account of the namespaces that asked: made, renewed, told other roots; no other touched."""

import subprocess
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from structlog.testing import capture_logs

from ca.authority import new_intermediate, new_root
from ca.material import Material
from ca.stored import material_secret, stored_material
from kube.client import Client, connected
from proa.clock import system_clock
from proa.identity import TrustDomain
from support.accounts import KEPT, Cluster, keeping
from support.door import until

ISSUER = "/api/v1/namespaces/proa-system/secrets/proa-ca"
ENABLED = {"proa.dev/secrets": "enabled"}


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    server = Cluster()
    await server.start()
    await server.configure(KEPT)
    await server.namespace("shop", "web", "db", **ENABLED)
    await server.namespace("bare", "web")
    yield server
    await server.stop()


@pytest.fixture
async def client(cluster: Cluster, tmp_path: Path) -> AsyncIterator[Client]:
    async with connected(cluster.kubeconfig(tmp_path)) as client:
        yield client


def leaf(cluster: Cluster, namespace: str, name: str) -> x509.Certificate:
    return x509.load_pem_x509_certificates(cluster.pem(namespace, name, "cert-chain.pem"))[0]


async def test_each_account_of_a_labelled_namespace_has_a_secret_and_no_other_has(
    cluster: Cluster, client: Client, tmp_path: Path
) -> None:
    async with keeping(client, system_clock):
        await until(lambda: cluster.secret("shop", "proa.web") and cluster.secret("shop", "proa.db"))
        await cluster.account("shop", "late")
        await until(lambda: cluster.secret("shop", "proa.late"))
        await cluster.namespace("later", "web", **ENABLED)
        await until(lambda: cluster.secret("later", "proa.web"))
    assert cluster.secret("bare", "proa.web") is None
    secret = cluster.secret("shop", "proa.web")
    assert secret["type"] == "proa.dev/key-and-cert"
    assert sorted(secret["data"]) == ["cert-chain.pem", "key.pem", "root-cert.pem"]
    (owner,) = secret["metadata"]["ownerReferences"]
    assert owner == {"apiVersion": "v1", "kind": "ServiceAccount", "name": "web", "uid": "uid-of-web"}
    verified(cluster, "shop", "proa.web", tmp_path)


def verified(cluster: Cluster, namespace: str, name: str, directory: Path) -> None:
    """The key is the leaf's, the leaf the account's, and OpenSSL verifies the chain."""
    key = load_pem_private_key(cluster.pem(namespace, name, "key.pem"), None)
    found = leaf(cluster, namespace, name)
    assert key.public_key() == found.public_key()
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    account = name.split(".", 1)[1]
    identity = f"spiffe://cluster.local/ns/{namespace}/sa/{account}"
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == [identity]
    for file in ("cert-chain.pem", "root-cert.pem"):
        (directory / file).write_bytes(cluster.pem(namespace, name, file))
    chain = directory / "cert-chain.pem"
    trust = ("-CAfile", directory / "root-cert.pem", "-no-CApath", "-no-CAstore", "-untrusted", chain)
    command = ["openssl", "verify", "-x509_strict", "-purpose", "sslclient", *trust, chain]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
    assert done.returncode == 0, done.stderr


async def test_in_istios_vocabulary_they_are_called_as_citadel_called_them(cluster: Cluster, client: Client) -> None:
    await cluster.configure(KEPT[:-1] + ', "vocabulary": "istio"}')
    await cluster.namespace("old", "web", **{"ca.istio.io/override": "true"})
    async with keeping(client, system_clock):
        await until(lambda: cluster.secret("old", "istio.web") and cluster.secret("shop", "istio.web"))
    secret = cluster.secret("old", "istio.web")
    assert secret["type"] == "istio.io/key-and-cert"
    assert secret["metadata"]["annotations"] == {"istio.io/service-account.name": "web"}


async def test_a_certificate_is_renewed_with_another_key_by_half_of_its_life(
    cluster: Cluster, client: Client, clock: Any
) -> None:
    async with keeping(client, clock) as replica:
        await until(lambda: cluster.secret("shop", "proa.web") and cluster.secret("shop", "proa.db"))
        first, key = leaf(cluster, "shop", "proa.web"), cluster.pem("shop", "proa.web", "key.pem")
        clock.advance(timedelta(hours=14))
        await cluster.account("shop", "another")
        await until(lambda: replica.count("Renew", "Renewal") == 2)
    second = leaf(cluster, "shop", "proa.web")
    assert second.not_valid_before_utc - first.not_valid_before_utc == timedelta(hours=14)
    assert cluster.pem("shop", "proa.web", "key.pem") != key


async def test_an_account_made_anew_under_its_name_gets_another_key(cluster: Cluster, client: Client) -> None:
    async with keeping(client, system_clock) as replica:
        await until(lambda: cluster.secret("shop", "proa.web"))
        key = cluster.pem("shop", "proa.web", "key.pem")
        await cluster.account("shop", "web", "another-uid")
        await until(lambda: replica.count("Renew", "AccountReplaced"))
    assert cluster.pem("shop", "proa.web", "key.pem") != key
    assert [each["uid"] for each in cluster.secret("shop", "proa.web")["metadata"]["ownerReferences"]] == [
        "another-uid"
    ]


async def test_another_root_beside_the_former_is_told_and_no_key_changes(cluster: Cluster, client: Client) -> None:
    async with keeping(client, system_clock) as replica:
        await until(lambda: cluster.secret("shop", "proa.web") and cluster.secret("shop", "proa.db"))
        key = cluster.pem("shop", "proa.web", "key.pem")
        material, second = (
            stored_material(cluster.secret("proa-system", "proa-ca")),
            new_root(TrustDomain("cluster.local"), system_clock()),
        )
        both = Material(material.issuer, (*material.roots, second.issuing.certificate))
        written: Any = material_secret(both)
        await cluster.put(ISSUER, **written)
        await until(lambda: replica.count("Tell", "RootsChanged") == 2)
        assert cluster.pem("shop", "proa.web", "root-cert.pem").count(b"BEGIN") == 2
        assert cluster.pem("shop", "proa.web", "key.pem") == key
        issuer = new_intermediate(TrustDomain("cluster.local"), second, system_clock())
        alone: Any = material_secret(Material(issuer, (second.issuing.certificate,)))
        await cluster.put(ISSUER, **alone)
        await until(lambda: replica.count("Renew", "RootGone") == 2)
    assert cluster.pem("shop", "proa.web", "key.pem") != key


async def test_a_secret_that_somebody_spoilt_is_mended_and_somebody_elses_is_left_alone(
    cluster: Cluster, client: Client
) -> None:
    place = "/api/v1/namespaces/shop/secrets"
    await cluster.put(f"{place}/proa.db", data={"own": "eA=="}, type="Opaque")
    async with keeping(client, system_clock) as replica:
        await until(lambda: cluster.secret("shop", "proa.web"))
        ours = cluster.secret("shop", "proa.web")
        await cluster.put(f"{place}/proa.web", **{**ours, "data": {**ours["data"], "key.pem": "eA=="}})
        await until(lambda: replica.count("Renew", "Spoilt"))
        await until(lambda: any("POST /apis/events.k8s.io" in each for each in cluster.requests))
    assert cluster.secret("shop", "proa.db")["data"] == {"own": "eA=="}
    assert load_pem_private_key(cluster.pem("shop", "proa.web", "key.pem"), None)


async def test_where_no_admin_has_bound_the_role_it_says_how_and_keeps_the_others(
    cluster: Cluster, client: Client
) -> None:
    cluster.forbidden = {"shop"}
    await cluster.namespace("open", "web", **ENABLED)
    with capture_logs() as logs:
        async with keeping(client, system_clock) as replica:
            await until(lambda: cluster.secret("open", "proa.web"))
            failing = "proa_ca_secrets_failing_namespaces"
            await until(lambda: replica.metrics.registry.get_sample_value(failing) == 1)
            cluster.forbidden = set()
            await until(lambda: cluster.secret("shop", "proa.web"))
            await until(lambda: replica.metrics.registry.get_sample_value(failing) == 0)
    told = [each["message"] for each in logs if each["event"] == "event"]
    assert any("kubectl create rolebinding proa-ca-secrets --namespace=shop" in each for each in told)


async def test_nothing_is_kept_unless_the_configuration_wants_it(cluster: Cluster, client: Client) -> None:
    await cluster.configure("{}")
    async with keeping(client, system_clock) as replica:
        await until(lambda: replica.material.authority)
        assert not [each for each in cluster.requests if "/serviceaccounts" in each or "/shop/" in each]
        await cluster.configure(KEPT)
        await until(lambda: cluster.secret("shop", "proa.web"))
        await cluster.configure("{}")
        await cluster.configure(KEPT)
        await cluster.account("shop", "late")
        await until(lambda: cluster.secret("shop", "proa.late"))


async def test_every_certificate_that_may_exist_is_in_the_audit_log_and_no_key_is(
    cluster: Cluster, client: Client
) -> None:
    cluster.losing_writes = True
    with capture_logs() as logs:
        async with keeping(client, system_clock):
            await until(lambda: cluster.secret("shop", "proa.web") and cluster.secret("shop", "proa.db"))
            await until(lambda: any(each["event"] == "unconfirmed" for each in logs))
            cluster.losing_writes = False
            await until(lambda: sum(each["event"] == "unconfirmed" for each in logs) >= 2)
    serials = {each["serial"] for each in logs if each.get("door") == "secrets"}
    assert {f"{leaf(cluster, 'shop', name).serial_number:x}" for name in ("proa.web", "proa.db")} <= serials
    key = cluster.pem("shop", "proa.web", "key.pem").decode().splitlines()[1]
    assert key not in repr(logs)
