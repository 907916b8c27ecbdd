"""The client at a real API server: whose fields are whose, who may what, and what is refused in which words."""

import json
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from kube.client import Client, connected
from kube.failures import AlreadyExists, ApiRefused, Conflict, Forbidden, NotFound, Unauthenticated
from kube.resources import (
    CLUSTER_TRUST_BUNDLES,
    CONFIG_MAPS,
    ISSUERS,
    POD_CERTIFICATE_REQUESTS,
    RESOURCES,
    SECRETS,
    SERVICES,
    Object,
)
from support.kubectl import Kubectl

pytestmark = pytest.mark.beside_others

IN_POD = "kubernetes.aio.config.incluster_config"


@pytest.fixture
async def client(kubectl: Kubectl) -> AsyncIterator[Client]:
    async with connected(kubectl.kubeconfig) as client:
        yield client


def config_map(namespace: str, **data: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "shared", "namespace": namespace},
        "data": data,
    }


def managers(item: Object) -> dict[str, list[str]]:
    """Which field manager owns which keys of `data`."""
    metadata = item["metadata"]
    assert isinstance(metadata, dict)
    fields: Any = metadata["managedFields"]
    owned = {each["manager"]: each["fieldsV1"].get("f:data", {}) for each in fields}
    return {manager: sorted(key[2:] for key in keys if key != ".") for manager, keys in owned.items()}


async def test_what_is_applied_leaves_the_fields_of_others(client: Client, namespace: Kubectl) -> None:
    own = namespace.namespace
    await client.apply(config_map(own, theirs="1", shared="1"), "gitops")
    both = await client.apply(config_map(own, ours="1"), "proa-webhook")
    assert both["data"] == {"theirs": "1", "shared": "1", "ours": "1"}
    assert managers(both) == {"gitops": ["shared", "theirs"], "proa-webhook": ["ours"]}
    again = await client.apply(config_map(own, ours="1"), "proa-webhook")
    assert again["metadata"] == both["metadata"], "nothing changed, and yet something was written"
    with pytest.raises(Conflict, match=r'conflict with "gitops".*\.data\.shared'):
        await client.apply(config_map(own, shared="2"), "proa-webhook")
    taken = await client.apply(config_map(own, shared="2"), "proa-webhook", force=True)
    assert taken["data"] == {"theirs": "1", "shared": "2"}
    assert managers(taken) == {"gitops": ["theirs"], "proa-webhook": ["shared"]}


async def test_a_dry_run_says_what_would_be_and_changes_nothing(client: Client, namespace: Kubectl) -> None:
    would = await client.apply(config_map(namespace.namespace, a="1"), "proa", dry_run=True)
    assert would["data"] == {"a": "1"}
    with pytest.raises(NotFound, match='configmaps "shared" not found'):
        await client.get(CONFIG_MAPS, "shared", namespace.namespace)


async def test_a_status_is_applied_without_touching_the_rest(client: Client, namespace: Kubectl) -> None:
    metadata: Any = {"name": "front", "namespace": namespace.namespace}
    service: Any = {"apiVersion": "v1", "kind": "Service", "metadata": metadata}
    before = await client.create(SERVICES, {**service, "spec": {"type": "LoadBalancer", "ports": [{"port": 80}]}})
    status: Any = {"loadBalancer": {"ingress": [{"ip": "192.0.2.1", "ipMode": "VIP"}]}}
    after = await client.patch_status(SERVICES, {**service, "status": status}, "proa-ca")
    assert after["status"] == status
    assert after["spec"] == before["spec"]
    stale = {**metadata, "resourceVersion": before["metadata"]["resourceVersion"]}  # type: ignore[index,call-overload]
    with pytest.raises(Conflict):
        await client.patch_status(SERVICES, {**service, "metadata": stale, "status": {}}, "proa-ca")


async def test_an_object_is_replaced_only_as_it_was_read(client: Client, namespace: Kubectl) -> None:
    first = await client.create(CONFIG_MAPS, config_map(namespace.namespace, a="1"))
    with pytest.raises(AlreadyExists, match='"shared" already exists'):
        await client.create(CONFIG_MAPS, config_map(namespace.namespace, a="2"))
    second = await client.replace(CONFIG_MAPS, {**first, "data": {"a": "2"}})
    assert second["data"] == {"a": "2"}
    with pytest.raises(Conflict, match="the object has been modified"):
        await client.replace(CONFIG_MAPS, {**first, "data": {"a": "3"}})
    await client.delete(CONFIG_MAPS, "shared", namespace.namespace)
    with pytest.raises(NotFound):
        await client.delete(CONFIG_MAPS, "shared", namespace.namespace)


async def test_every_mistake_in_an_object_is_told(client: Client, namespace: Kubectl) -> None:
    wrong = config_map(namespace.namespace)
    wrong["metadata"] |= {"name": "Not_A_Name", "labels": {"a": "not a value"}}
    with pytest.raises(ApiRefused) as refused:
        await client.create(CONFIG_MAPS, wrong)
    assert refused.value.status == 422
    assert "metadata.name" in refused.value.message
    assert "metadata.labels" in refused.value.message


async def test_a_list_of_several_pages_is_whole_and_its_objects_say_what_they_are(
    client: Client, namespace: Kubectl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kube.calls.PAGE", 2)
    for number in range(5):
        item = config_map(namespace.namespace)
        item["metadata"]["name"] = f"map-{number}"
        await client.create(CONFIG_MAPS, item)
    found = await client.list(CONFIG_MAPS, namespace.namespace)
    names = {item["metadata"]["name"] for item in found}  # type: ignore[index,call-overload]
    assert names == {"kube-root-ca.crt", *(f"map-{number}" for number in range(5))}
    assert {(item["apiVersion"], item["kind"]) for item in found} == {("v1", "ConfigMap")}


async def test_every_kind_that_proa_knows_is_served_where_it_says(client: Client) -> None:
    assert (await client.version()).startswith("v1.")
    kinds = [each for each in RESOURCES if each.group != ISSUERS.group]
    assert [str(each) for each in kinds if not await client.supports(each)] == []
    for each in kinds:
        listed = await client.request("GET", each.root)
        resources: Any = listed["resources"]
        (found,) = [one for one in resources if one["name"] == each.plural]
        assert (found["kind"], found["namespaced"]) == (each.kind, each.namespaced)


async def test_an_account_is_told_what_it_may_not(kubectl: Kubectl, namespace: Kubectl, tmp_path: Path) -> None:
    async with connected(as_account(kubectl, namespace, tmp_path)) as client:
        with pytest.raises(Forbidden, match=rf"{namespace.namespace}:default.*cannot list resource \"secrets\""):
            await client.list(SECRETS, namespace.namespace)
        assert not await client.allowed("list", SECRETS, namespace.namespace)
        assert not await client.allowed("patch", POD_CERTIFICATE_REQUESTS, subresource="status")
    async with connected(kubectl.kubeconfig) as client:
        assert await client.allowed("create", CLUSTER_TRUST_BUNDLES)


async def test_a_token_that_is_none_is_not_known(kubectl: Kubectl, tmp_path: Path) -> None:
    async with connected(with_token(kubectl, "made.up.token", tmp_path)) as client:
        with pytest.raises(Unauthenticated):
            await client.list(CONFIG_MAPS)


async def test_a_pods_token_is_read_again_when_the_kubelet_has_replaced_it(
    kubectl: Kubectl, namespace: Kubectl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend_to_be_a_pod(kubectl, tmp_path, monkeypatch)
    now = [datetime(2026, 11, 24)]  # noqa: DTZ001 - kubernetes.aio's own clock has no zone
    clock = SimpleNamespace(now=lambda: now[0])
    monkeypatch.setattr(f"{IN_POD}.datetime", SimpleNamespace(timedelta=timedelta, datetime=clock))
    namespace("create", "serviceaccount", "later")
    token = tmp_path / "token"
    token.write_text(namespace("create", "token", "default").strip())
    async with connected() as client:
        assert await identity(client) == f"system:serviceaccount:{namespace.namespace}:default"
        token.write_text(namespace("create", "token", "later").strip())
        now[0] += timedelta(minutes=2)
        assert await identity(client) == f"system:serviceaccount:{namespace.namespace}:later"


async def identity(client: Client) -> str:
    review: Any = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    answer: Any = await client.request("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", (), review)
    return str(answer["status"]["userInfo"]["username"])


def pretend_to_be_a_pod(kubectl: Kubectl, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the kubelet would put what a pod needs, and the environment that it would set."""
    view = json.loads(kubectl("config", "view", "--raw", "--flatten", "--output=json"))
    cluster = view["clusters"][0]["cluster"]
    authority = directory / "ca.crt"
    authority.write_text(kubectl("get", "configmap", "kube-root-ca.crt", "--output=jsonpath={.data.ca\\.crt}"))
    host, port = cluster["server"].removeprefix("https://").rsplit(":", 1)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", host.strip("[]"))
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", port)
    monkeypatch.delenv("KUBECONFIG", raising=False)
    for module in (IN_POD, "kube.connection"):
        monkeypatch.setattr(f"{module}.SERVICE_TOKEN_FILENAME", str(directory / "token"))
    monkeypatch.setattr(f"{IN_POD}.SERVICE_CERT_FILENAME", str(authority))


def as_account(kubectl: Kubectl, namespace: Kubectl, directory: Path) -> Path:
    return with_token(kubectl, namespace("create", "token", "default").strip(), directory)


def with_token(kubectl: Kubectl, token: str, directory: Path) -> Path:
    """A kubeconfig of the same cluster for who has *token*."""
    view = json.loads(kubectl("config", "view", "--raw", "--flatten", "--minify", "--output=json"))
    view["users"][0]["user"] = {"token": token}
    written = directory / "token-kubeconfig"
    written.write_text(json.dumps(view))
    written.chmod(0o600)
    return written
