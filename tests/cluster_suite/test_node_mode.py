"""Pods that the node programs, by a real kubelet and containerd: restricted, intercepted, held while nobody does it."""

import json
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from installation.apply import MANAGER
from installation.authority import rights, services
from installation.node import POLICY, agent
from installation.noted import plain
from installation.options import Options
from node.taint import TAINT
from proa import names
from proa.capture.annotation import ANNOTATION
from proa.json import Json
from support.kubectl import (
    Failed,
    Kubectl,
    answered,
    eventually,
    listed,
    once_mounted,
    pod,
    pod_spec,
    serving,
    workload,
)
from support.mesh import IN_MESH, Mesh, address, connections, discovered, pods
from support.node_mode import (
    AGENT,
    BY_NODE,
    PROGRAMS,
    chained,
    configurations,
    events,
    late_network,
    let_come,
    readiness,
    registered,
    send_away,
    standing,
    taints,
    unchain,
    waits,
)
from support.protocol import sources

pytestmark = pytest.mark.skipif(os.environ.get("PROA_TEST_CLUSTER") == "1", reason="the network of a node not ours")

IMAGE = "proa:0.1.0"
AUTHORITY: dict[str, Json] = {
    "istio": {"kind": "grpc", "trustedNodeAccounts": ["proa-node/proa-node"]},
    "workloadApi": {"kind": "node-agent", "tokens": {"kind": "jwt-svids"}},
}
RESTRICTED = {**IN_MESH, "pod-security.kubernetes.io/enforce": "restricted"}


@pytest.fixture(scope="module")
def nodes(mesh: Mesh) -> Iterator[Kubectl]:
    """kubectl where the agent is. In the end it is taken away, and with it what it did to the node."""
    before = configurations()
    options = Options(mesh={"interception": BY_NODE, "authority": AUTHORITY})
    made, door = [*map(plain, agent(options))], [*istios_door(options)]
    former = standing(mesh.kubectl, door)
    settings: dict[str, object] = {**options.mesh, "discovery": {"kind": "files"}, "peerTls": "strict"}
    inside = mesh.kubectl.within(names.NODE_NAMESPACE)
    with mesh.configured(**settings):
        assert "Warning" not in mesh.kubectl.apply(*made)
        mesh.kubectl("apply", "--server-side", "--force-conflicts", "--filename=-", given=listed(*door))
        try:
            inside.ready(AGENT)
            yield inside
        finally:
            inside("delete", AGENT, "--ignore-not-found")
            eventually(lambda: not inside.json("pods"), "the agent's end")
            mesh.kubectl("delete", "--filename=-", "--ignore-not-found", given=listed(*made, *door))
            # Without them an authority whose doors are open for the whole run is not ready any more.
            if former:
                # As Proa's own, or another version's command has conflicts with whoever made them.
                owned = f"--field-manager={MANAGER}"
                mesh.kubectl("apply", "--server-side", owned, "--filename=-", given=listed(*former))
            assert configurations() == before
            assert not (PROGRAMS / "proa-cni").exists()


def istios_door(options: Options) -> Iterator[Any]:
    """What the agent needs of the authority, whose doors may be open or not (`open_doors`): others that are alone on
    the cluster install it anew. Its Deployment stays: the Service names ports by their numbers instead."""
    (service,) = map(plain, services(options))
    ports = [{"port": each["port"], "targetPort": each["port"]} for each in service["spec"]["ports"][:1]]
    yield {**service, "spec": {**service["spec"], "ports": ports}}
    wanted = {"proa-ca-istio", "proa-ca-jwt"}
    yield from (each for each in map(plain, rights(options)) if each["metadata"]["name"] in wanted)


@pytest.fixture(scope="module")
def restricted(nodes: Kubectl) -> Iterator[Kubectl]:
    """kubectl where two pods of the mesh have started that the node has programmed."""
    with nodes.within("").new_namespace("node-mode", RESTRICTED) as inside:
        inside.apply(discovered(inside, ports=(8080,)))
        spec = modest(serving())
        inside.apply(workload("Deployment", "web", spec), workload("Deployment", "client", spec))
        inside.ready("deployment/web", "deployment/client")
        yield inside


def modest(spec: dict[str, Any]) -> dict[str, Any]:
    """*spec* as the standard asks."""
    context = {"runAsNonRoot": True, "runAsUser": 65534, "seccompProfile": {"type": "RuntimeDefault"}}
    for container in spec["containers"]:
        container["securityContext"] = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    return {**spec, "securityContext": context}


def test_restricted_pods_speak_mtls_in_both_families(restricted: Kubectl) -> None:
    restricted.apply(pod("stranger", modest(pod_spec("sleep", "infinity")), labels={names.INJECT: "disabled"}))
    restricted.ready("pod/stranger")
    (web,), (client,) = pods(restricted, "web"), pods(restricted, "client")
    assert web["metadata"]["annotations"][ANNOTATION].startswith('{"exclude-inbound-ports":')
    restricted.apply(discovered(restricted, web, client, ports=(8080,)))
    for family in (4, 6):
        url = f"http://{address(web, family)}:8080/"
        once_mounted(
            restricted, lambda url=url: answered(restricted, url, by="deployment/client", begins="web-"), f"IPv{family}"
        )
        assert not answered(restricted, url, by="pod/stranger", begins="web-")
    heard = eventually(lambda: callers(restricted, web["metadata"]["name"]), "the server's log")
    assert heard == {"spiffe://cluster.local/ns/node-mode/sa/default"}


def callers(inside: Kubectl, name: str) -> set[str]:
    """Whose certificates a pod's Envoy has seen. It writes its log once a second."""
    return {call["downstream_peer"] for call in connections(inside, name) if call["downstream_peer"]}


def test_a_pod_whose_app_sees_its_clients_addresses_is_programmed_too_but_not_where_it_must_be_restricted(
    nodes: Kubectl, restricted: Kubectl
) -> None:
    seen = pod("seen", modest(serving()), annotations={f"{names.PREFIX}/inbound-mode": "tproxy"})
    with pytest.raises(Failed) as failed:
        restricted.apply(seen)
    assert "such as proa.dev/inbound-mode=tproxy" in failed.value.output
    with nodes.within("").new_namespace("node-mode-clients", IN_MESH) as inside:
        inside.apply(discovered(inside, ports=(8080,)), seen)
        inside.ready("pod/seen")
        assert '"inbound-mode":"tproxy:' in inside.json("pod/seen")["metadata"]["annotations"][ANNOTATION]


def test_what_a_pod_is_to_be_programmed_by_cannot_be_changed(restricted: Kubectl) -> None:
    (web,) = pods(restricted, "web")
    with pytest.raises(Failed) as failed:
        restricted("annotate", "--overwrite", "pod", web["metadata"]["name"], f"{ANNOTATION}={{}}")
    assert POLICY in failed.value.output


def test_pods_that_start_while_no_agent_is_there_are_held_and_then_programmed(
    nodes: Kubectl, restricted: Kubectl
) -> None:
    send_away(nodes)
    assert chained()[-1] == "proa-cni"
    restricted.apply(pod("held", modest(serving())))
    eventually(lambda: "proa-cni" in events(restricted, "held"), "the plugin's refusal")
    unchain()
    restricted.apply(pod("early", modest(serving())))
    eventually(lambda: waits(restricted.json("pod/early")), "the container that waits")
    let_come(nodes)
    restricted.ready("pod/early", "pod/held")
    nodes.ready(AGENT)
    assert chained()[-1] == "proa-cni"
    eventually(lambda: "InterceptionRepaired" in events(restricted, "early"), "the agent's word")


def test_a_new_nodes_taint_keeps_pods_off_it_until_its_agent_can_program_them(
    nodes: Kubectl, restricted: Kubectl
) -> None:
    """It boots, its network comes up piece by piece, and the agent in between."""
    send_away(nodes)
    unchain()
    with registered(nodes):
        eventually(lambda: taints(nodes) == [TAINT], "the other taints' end")
        restricted.apply(pod("booted", modest(serving())))
        eventually(lambda: "untolerated taint" in events(restricted, "booted"), "the scheduler's word")
        with late_network() as plugin:
            let_come(nodes)
            eventually(lambda: f"{plugin} not in" in readiness(), "the agent, which waits for the network")
            assert taints(nodes) == [TAINT]
            assert "nodeName" not in restricted.json("pod/booted")["spec"]
        restricted.ready("pod/booted")
        assert taints(nodes) == []
    assert "InterceptionRepaired" not in events(restricted, "booted")
    (client,), booted = pods(restricted, "client"), restricted.json("pod/booted")
    restricted.apply(discovered(restricted, booted, client, ports=(8080,)))
    url = f"http://{address(booted, 4)}:8080/"
    once_mounted(restricted, lambda: answered(restricted, url, by="deployment/client", begins="booted"), "its page")
    assert eventually(lambda: callers(restricted, "booted"), "the server's log") == {
        "spiffe://cluster.local/ns/node-mode/sa/default"
    }


CALLER = Path(__file__).parents[1] / "support" / "workload_caller.py"


def test_an_application_without_a_sidecar_is_given_its_identity_by_the_workload_api(
    nodes: Kubectl, namespace: Kubectl
) -> None:
    assert nodes
    namespace("create", "serviceaccount", "reader")
    data = {CALLER.name: CALLER.read_text(encoding="utf-8"), **sources("workload")}
    namespace.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "caller"}, "data": data})
    own = f"spiffe://cluster.local/ns/{namespace.namespace}/sa/reader"
    asking = {"svids": (), "tokens": (own, "reports")}
    for does, arguments in asking.items():
        namespace.apply(calling(does, "reader", *arguments))
    # Each told once: a container that has ended begins anew, and its log with it.
    svids, tokens = (eventually(lambda does=does: told(namespace, does), f"the {does}", 90) for does in asking)
    assert (svids["id"], tokens["id"], tokens["validated"]) == (own, own, own)


def told(inside: Kubectl, name: str) -> dict[str, Any]:
    """Nothing while its pod is put off, or has no container yet."""
    try:
        log = inside("logs", f"pod/{name}").splitlines()
    except Failed:
        return {}
    found: dict[str, Any] = json.loads(log[0]) if log else {}
    return {} if found.get("code") == "UNAVAILABLE" else found


def calling(does: str, account: str, *arguments: str) -> Any:
    """A pod of nobody's mesh that asks the Workload API, as no root of anything, and again where it is put off."""
    directory = str(PurePosixPath(names.WORKLOAD_SOCKET).parent)
    volumes = [
        {"name": "spiffe", "hostPath": {"path": directory, "type": "Directory"}},
        {"name": "caller", "configMap": {"name": "caller"}},
    ]
    spec = modest(pod_spec(serviceAccountName=account, volumes=volumes))
    spec["containers"][0] |= {
        "image": IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "command": ["/opt/proa/bin/python3", f"/caller/{CALLER.name}", does, names.WORKLOAD_SOCKET, *arguments],
        "volumeMounts": [
            {"name": "spiffe", "mountPath": directory, "readOnly": True},
            {"name": "caller", "mountPath": "/caller"},
        ],
    }
    return pod(does, spec, labels={names.INJECT: "disabled"})
