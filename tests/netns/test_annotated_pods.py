"""From a pod's annotation to its packets: injected by the webhook's own code, its proa-init run by its command line."""

from typing import Any

import pytest

from netns.cases import APP, INBOUND, NOTHING, OUTBOUND, PEER, SERVICE, SITE
from netns.cases import POD as POD_ADDRESS
from proa import names
from proa.mesh import MeshConfiguration, Vocabulary
from support.injecting import in_list, injected
from support.places import Wired

pytestmark = pytest.mark.netns

DIRECT_OUT, DIRECT_IN, READY = ("peer", 80), ("pod", 8080), ("pod", names.READY_PORT)
ISTIO = MeshConfiguration(vocabulary=Vocabulary.ISTIO)
Dialled = tuple[str, dict[int, str], int, tuple[str, int]]
"""Who dials, which addresses, which port, and who answers."""
CASES: dict[str, tuple[dict[str, str], list[Dialled]]] = {
    "nothing": (
        {},
        [("pod", SERVICE, 80, OUTBOUND), ("peer", POD_ADDRESS, 8080, INBOUND), ("peer", POD_ADDRESS, 15021, READY)],
    ),
    "ports out": (
        {"proa.dev/exclude-outbound-ports": "70-90"},
        [("pod", SERVICE, 80, DIRECT_OUT), ("pod", SERVICE, 443, OUTBOUND), ("peer", POD_ADDRESS, 8080, INBOUND)],
    ),
    "networks out": (
        {"proa.dev/exclude-outbound-cidrs": "10.96.0.0/12,fd96::/16"},
        [("pod", SERVICE, 80, DIRECT_OUT), ("pod", SITE, 80, OUTBOUND)],
    ),
    "ports in": (
        {"proa.dev/exclude-inbound-ports": "8080"},
        [
            ("peer", POD_ADDRESS, 8080, DIRECT_IN),
            ("peer", POD_ADDRESS, 8081, INBOUND),
            ("peer", POD_ADDRESS, 15021, READY),
            ("pod", SERVICE, 80, OUTBOUND),
        ],
    ),
    "a family": (
        {"proa.dev/ipv6": "drop"},
        [("pod", {4: SERVICE[4]}, 80, OUTBOUND), ("pod", {6: SERVICE[6]}, 80, NOTHING)],
    ),
    "clients' addresses": (
        {"proa.dev/inbound-mode": "tproxy:5:6"},
        [
            ("peer", POD_ADDRESS, 8080, INBOUND),
            ("peer", POD_ADDRESS, 15021, READY),
            ("pod", SERVICE, 80, OUTBOUND),
        ],
    ),
    "users": ({"proa.dev/exclude-users": str(APP[0])}, [("pod", PEER, 80, DIRECT_OUT)]),
    "an interface": (
        {"proa.dev/exclude-interfaces": "eth0"},
        [("pod", SERVICE, 80, DIRECT_OUT), ("peer", POD_ADDRESS, 8080, DIRECT_IN)],
    ),
    "Istio's ports in": (
        {"traffic.sidecar.istio.io/includeInboundPorts": "8081"},
        [("peer", POD_ADDRESS, 8080, DIRECT_IN), ("peer", POD_ADDRESS, 8081, INBOUND)],
    ),
    "Istio's ranges": (
        {
            "traffic.sidecar.istio.io/includeOutboundIPRanges": "10.96.0.10/12,fd96::10/16",
            "traffic.sidecar.istio.io/includeOutboundPorts": "443",
        },
        [("pod", SERVICE, 80, OUTBOUND), ("pod", SITE, 80, DIRECT_OUT), ("pod", SITE, 443, OUTBOUND)],
    ),
    "Istio's NONE": (
        {"sidecar.istio.io/interceptionMode": "NONE"},
        [("pod", SERVICE, 80, DIRECT_OUT), ("peer", POD_ADDRESS, 8080, DIRECT_IN)],
    ),
}


@pytest.mark.parametrize(("annotations", "dialled"), CASES.values(), ids=CASES)
def test_an_annotation_decides_where_packets_arrive(
    network: Wired, annotations: dict[str, str], dialled: list[Dialled]
) -> None:
    command = _command(annotations)
    assert command[0] == "proa-init"
    network.configure(*command[1:])
    for place, to, port, answered_by in dialled:
        for family, address in to.items():
            reached = network.probe(place, APP, address, port, short=answered_by == NOTHING)
            assert (reached.get("who", ""), reached.get("port", 0)) == answered_by, (family, place, port, reached)


def _command(annotations: dict[str, str]) -> list[str]:
    """What the kubelet would run in the pod's init container."""
    pod: dict[str, Any] = {
        "metadata": {"name": "web", "annotations": annotations},
        "spec": {"containers": [{"name": "app"}]},
    }
    container = in_list(injected(pod, ISTIO), "initContainers", names.INIT_CONTAINER)
    return [*container["command"], *container.get("args", [])]
