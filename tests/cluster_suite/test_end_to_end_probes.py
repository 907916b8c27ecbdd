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


def state(strict: Kubectl, kind: str) -> dict[str, Any]:
    found = strict.json(f"pod/{kind}")
    assert carries(found)
    (app,) = found["status"]["containerStatuses"]
    return app


def test_a_strict_pod_is_ready_by_its_probes_and_a_sick_one_is_not_and_is_restarted(strict: Kubectl) -> None:
    strict.ready(*(f"pod/{kind}" for kind in KINDS))
    assert {kind: state(strict, kind)["restartCount"] for kind in KINDS} == dict.fromkeys(KINDS, 0)
    for kind in KINDS:
        strict.run("touch", SICK, of=f"pod/{kind}", container="app")
    for kind in KINDS:
        # A container that is started again has a file system of its own: the file is gone.
        eventually(lambda kind=kind: not state(strict, kind)["ready"], f"{kind}: not ready", 30)
    for kind in KINDS:
        eventually(lambda kind=kind: state(strict, kind)["restartCount"] == 1, f"{kind}: restarted", 60)
    strict.ready(*(f"pod/{kind}" for kind in KINDS))
