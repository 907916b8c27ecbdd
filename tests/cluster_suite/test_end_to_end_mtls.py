"""Sidecars that know of each other, by files that discovery renders: mutual TLS, and nobody else is heard."""

from typing import Any

import pytest

from proa import names
from support.kubectl import answered, eventually, once_mounted, pod, pod_spec, serving, workload
from support.mesh import Mesh, address, connections, discovered, pods

pytestmark = pytest.mark.beside_others

FAMILIES = (4, 6)


def test_sidecars_that_know_each_other_speak_mtls_and_a_strict_one_hears_nobody_else(mesh: Mesh) -> None:
    discovery = {"kind": "files", "configMap": names.DISCOVERY_VOLUME}
    with (
        mesh.revision("mtls", peerTls="strict", discovery=discovery) as labels,
        mesh.kubectl.new_namespace("mtls", labels) as inside,
    ):
        inside.apply(discovered(inside, ports=(8080,)))
        inside.apply(workload("Deployment", "web", serving()), workload("Deployment", "client", serving()))
        # Its app sees whose address a call comes from.
        inside.apply(pod("seen", serving(), annotations={f"{names.PREFIX}/inbound-mode": "tproxy"}))
        stranger = pod("stranger", pod_spec("sleep", "infinity"), labels={names.INJECT: "disabled"})
        inside.apply(stranger)
        inside.ready("deployment/web", "deployment/client", "pod/stranger", "pod/seen")
        (web,), (client,), seen = pods(inside, "web"), pods(inside, "client"), inside.json("pod/seen")
        inside.apply(discovered(inside, web, client, seen, ports=(8080,)))
        for family in FAMILIES:
            url = f"http://{address(web, family)}:8080/"
            once_mounted(
                inside,
                lambda url=url: answered(inside, url, by="deployment/client", begins="web-"),
                f"mTLS by IPv{family}",
            )
            assert not answered(inside, url, by="pod/stranger", begins="web-")
        for family in FAMILIES:
            url = f"http://{address(seen, family)}:8080/"
            answer = inside.run("peer", "get", url, of="deployment/client", container="app")
            assert answer.split()[-1].rpartition(":")[0] == address(client, family)
            assert not answered(inside, url, by="pod/stranger", begins="seen")
        identity = "spiffe://cluster.local/ns/mtls/sa/default"
        calls = eventually(lambda: _secure(connections(inside, web["metadata"]["name"])), "the server's log")
        assert {call["downstream_peer"] for call in calls} == {identity}
        calls = [call for call in connections(inside, client["metadata"]["name"]) if call["upstream_tls"]]
        assert {(call["upstream_tls"], call["upstream_peer"]) for call in calls} == {("TLSv1.3", identity)}


def _secure(calls: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [call for call in calls if call["downstream_peer"]]
