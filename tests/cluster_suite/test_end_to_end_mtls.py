"""Sidecars that know of each other, by files that discovery renders: mutual TLS, and nobody else is heard."""

from typing import Any

from proa import names
from support.kubectl import answered, eventually, pod, pod_spec, serving, workload
from support.mesh import IN_MESH, Mesh, address, connections, discovered, pods

FAMILIES = (4, 6)


def test_sidecars_that_know_each_other_speak_mtls_and_a_strict_one_hears_nobody_else(mesh: Mesh) -> None:
    discovery = {"kind": "files", "configMap": names.DISCOVERY_VOLUME}
    with mesh.configured(peerTls="strict", discovery=discovery), mesh.kubectl.new_namespace("mtls", IN_MESH) as inside:
        inside.apply(discovered(inside, ports=(8080,)))
        inside.apply(workload("Deployment", "web", serving()), workload("Deployment", "client", serving()))
        stranger = pod("stranger", pod_spec("sleep", "infinity"), labels={names.INJECT: "disabled"})
        inside.apply(stranger)
        inside.ready("deployment/web", "deployment/client", "pod/stranger")
        (web,), (client,) = pods(inside, "web"), pods(inside, "client")
        inside.apply(discovered(inside, web, client, ports=(8080,)))
        # The kubelet writes a changed ConfigMap at the pod's next turn: within 90 s, or when the pod changes.
        inside("annotate", "pods", "--all", "proa.dev/test=changed")
        for family in FAMILIES:
            url = f"http://{address(web, family)}:8080/"
            eventually(
                lambda url=url: answered(inside, url, by="deployment/client", begins="web-"),
                f"mTLS by IPv{family}",
                150,
                pause=2,
            )
            assert not answered(inside, url, by="pod/stranger", begins="web-")
        identity = "spiffe://cluster.local/ns/mtls/sa/default"
        calls = eventually(lambda: _secure(connections(inside, web["metadata"]["name"])), "the server's log", 20)
        assert {call["downstream_peer"] for call in calls} == {identity}
        calls = [call for call in connections(inside, client["metadata"]["name"]) if call["upstream_tls"]]
        assert {(call["upstream_tls"], call["upstream_peer"]) for call in calls} == {("TLSv1.3", identity)}


def _secure(calls: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [call for call in calls if call["downstream_peer"]]
