"""Probes of every kind, of a pod that hears nothing but mTLS: the kubelet, which has no certificate, still learns."""

from collections.abc import Iterator
from typing import Any

import pytest

from support.kubectl import Kubectl, eventually, pod, pod_spec
from support.mesh import Mesh, carries

pytestmark = pytest.mark.beside_others

SICK = "/tmp/sick"  # noqa: S108 - in a container
KINDS: dict[str, dict[str, Any]] = {
    "http": {"httpGet": {"path": "/healthz", "port": 8080}},
    "http-by-name": {
        "httpGet": {"path": "/healthz", "port": "web", "httpHeaders": [{"name": "Host", "value": "shop"}]}
    },
    "https": {"httpGet": {"path": "/healthz", "port": 8443, "scheme": "HTTPS"}},
    "grpc": {"grpc": {"port": 9000}},
    "grpc-of-a-service": {"grpc": {"port": 9000, "service": "app"}},
    "tcp": {"tcpSocket": {"port": 7000}},
    "exec": {"exec": {"command": ["test", "!", "-e", SICK]}},
}


def probed(probe: dict[str, Any]) -> dict[str, Any]:
    spec = pod_spec("peer", "serve", restartPolicy="Always")
    often = {**probe, "periodSeconds": 1, "timeoutSeconds": 2}
    spec["containers"][0] |= {
        "ports": [{"name": "web", "containerPort": 8080}],
        "startupProbe": {**often, "failureThreshold": 60},
        "readinessProbe": often,
        "livenessProbe": {**often, "failureThreshold": 12},
    }
    return spec


@pytest.fixture(scope="module")
def strict(mesh: Mesh) -> Iterator[Kubectl]:
    revision = mesh.revision("probes", peerTls="strict")
    with revision as labels, mesh.kubectl.new_namespace("probes", labels) as inside:
        inside.apply(*(pod(kind, probed(probe)) for kind, probe in KINDS.items()))
        yield inside


def states(strict: Kubectl) -> dict[str, dict[str, Any]]:
    """Of every kind's app."""
    found = {each["metadata"]["name"]: each for each in strict.json("pods")}
    assert [kind for kind in KINDS if not carries(found[kind])] == []
    apps = dict[str, dict[str, Any]]()
    for kind in KINDS:
        (apps[kind],) = found[kind]["status"]["containerStatuses"]
    return apps


def test_a_strict_pod_is_ready_by_its_probes_and_a_sick_one_is_not_and_is_restarted(strict: Kubectl) -> None:
    strict.ready(*(f"pod/{kind}" for kind in KINDS))
    assert {kind: app["restartCount"] for kind, app in states(strict).items()} == dict.fromkeys(KINDS, 0)
    unready = set[str]()

    def noticed() -> bool:
        """Whether each was seen unready before it was started again: its new file system is without the file."""
        unready.update(kind for kind, app in states(strict).items() if not app["ready"] and app["restartCount"] == 0)
        return unready == set(KINDS)

    for kind in KINDS:
        strict.run("touch", SICK, of=f"pod/{kind}", container="app")
        # The first may be well again before the last is told.
        noticed()
    eventually(noticed, "each kind not ready", 60)
    for kind in KINDS:
        eventually(lambda kind=kind: states(strict)[kind]["restartCount"] == 1, f"{kind}: restarted", 90)
    strict.ready(*(f"pod/{kind}" for kind in KINDS))
