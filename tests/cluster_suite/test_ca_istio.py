"""Istio's protocol in a real cluster: tokens that a kubelet keeps and an API server reviews, over the Service."""

import json
from typing import Any

import pytest

from proa.names import ISTIO_PORT, ISTIO_RENEWAL_PORT
from support.kubectl import Kubectl, eventually, pod, pod_spec
from support.mesh import Mesh
from support.open_doors import NODES
from support.protocol import AGENT, sources

pytestmark = pytest.mark.beside_others

IMAGE = "proa:0.1.0"


def agent(name: str, account: str, **environment: str) -> Any:
    """A pod that does what Istio's agent does, once."""
    token = {"serviceAccountToken": {"audience": "istio-ca", "expirationSeconds": 3600, "path": "token"}}
    roots = {"clusterTrustBundle": {"signerName": "proa.dev/workload", "labelSelector": {}, "path": "roots.pem"}}
    volumes = [
        {"name": "identity", "projected": {"sources": [token, roots]}},
        {"name": "agent", "configMap": {"name": "agent"}},
    ]
    spec = pod_spec(serviceAccountName=account, volumes=volumes, restartPolicy="Never")
    spec["containers"][0] |= {
        "image": IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "command": ["/opt/proa/bin/python3", f"/agent/{AGENT.name}"],
        "env": [{"name": key, "value": value} for key, value in environment.items()],
        "volumeMounts": [{"name": each, "mountPath": f"/{each}"} for each in ("identity", "agent")],
    }
    return pod(name, spec, labels={"proa.dev/inject": "disabled"})


def run(inside: Kubectl, name: str, account: str, **environment: str) -> dict[str, Any]:
    """What the agent found."""
    inside.apply(agent(name, account, **environment))

    def ended() -> str:
        phase = inside.json("pod", name)["status"].get("phase", "")
        return phase if phase in {"Succeeded", "Failed"} else ""

    phase = eventually(ended, f"the end of {name}", seconds=120)
    log = inside("logs", name)
    assert phase == "Succeeded", log + inside.report()
    (found,) = (json.loads(line) for line in log.splitlines() if line.startswith("{"))
    return dict(found)


@pytest.fixture
def inside(mesh: Mesh, namespace: Kubectl) -> Kubectl:
    assert mesh
    return furnished(namespace)


def furnished(namespace: Kubectl) -> Kubectl:
    """*namespace* with an account, and with what an agent runs."""
    namespace("create", "serviceaccount", "web")
    data = {AGENT.name: AGENT.read_text(encoding="utf-8"), **sources()}
    namespace.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "agent"}, "data": data})
    return namespace


def test_a_pod_gets_its_identity_by_its_token_and_renews_it_by_its_certificate(inside: Kubectl) -> None:
    identity = f"spiffe://cluster.local/ns/{inside.namespace}/sa/web"
    assert run(inside, "web", "web", WANTED="spiffe://cluster.local/ns/kube-system/sa/default") == {
        "token": [identity],
        "renewal": [identity],
        "nothing": "UNAUTHENTICATED",
        "audience": "UNAUTHENTICATED",
        "impersonation": "PERMISSION_DENIED",
    }


def test_tokens_of_no_pod_and_of_a_pod_that_is_gone_get_nothing(inside: Kubectl) -> None:
    asking = ("create", "token", "web", "--audience=istio-ca")
    inside.apply(pod("gone", pod_spec("sleep", "3600", serviceAccountName="web")))
    uid = inside.json("pod", "gone")["metadata"]["uid"]
    bound = ("--bound-object-kind=Pod", "--bound-object-name=gone", f"--bound-object-uid={uid}")
    tokens = {"unbound": inside(*asking).strip(), "gone": inside(*asking, *bound).strip()}
    inside("delete", "pod", "gone", "--wait=true")
    for name, token in tokens.items():
        found = run(inside, f"shows-{name}", "web", TOKEN=token, WANTED="spiffe://cluster.local/ns/shop/sa/web")
        assert {found["token"], found["impersonation"]} == {"UNAUTHENTICATED"}, name


def test_a_proxy_of_a_node_that_is_trusted_asks_for_a_pod_beside_it(mesh: Mesh) -> None:
    wanted = f"spiffe://cluster.local/ns/{NODES}/sa/web"
    with mesh.kubectl.new_namespace(NODES) as empty:
        inside = furnished(empty)
        inside("create", "serviceaccount", "ztunnel")
        inside.apply(pod("beside", pod_spec("sleep", "3600", serviceAccountName="web")))
        inside.ready("pod/beside")
        found = run(inside, "ztunnel", "ztunnel", WANTED=wanted)
    assert found["impersonation"] == [wanted]
    assert found["token"] == [f"spiffe://cluster.local/ns/{NODES}/sa/ztunnel"]


def test_the_service_offers_both_ports(mesh: Mesh) -> None:
    ports = {each["port"] for each in mesh.system.json("service", "proa-ca")["spec"]["ports"]}
    assert ports == {ISTIO_PORT, ISTIO_RENEWAL_PORT}
