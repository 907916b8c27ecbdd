"""The node's own parts crash and come back."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from support.kubectl import Kubectl, eventually, pod, serving, workload
from support.mesh import Mesh, carries

RESTART = Path(__file__).parents[1] / "cluster" / "restart.py"


def heartbeat(kubectl: Kubectl) -> str:
    """When the kubelet last told that it lives; empty where it has registered its node a moment ago."""
    return "".join(lease["spec"]["renewTime"] for lease in kubectl.within("kube-node-lease").json("leases"))


@pytest.mark.skipif(os.environ.get("PROA_TEST_CLUSTER") == "1", reason="the node of a cluster that is not ours")
def test_pods_outlive_a_crash_of_the_kubelet_and_of_containerd(mesh: Mesh, injected: Kubectl) -> None:
    injected.apply(workload("Deployment", "web", serving()))
    injected.ready("deployment/web")
    before = restarts(injected)
    beat = heartbeat(mesh.kubectl)
    subprocess.run([sys.executable, RESTART, "containerd", "kubelet"], check=True)
    eventually(lambda: heartbeat(mesh.kubectl) > beat, "the kubelet's life", 60)
    injected.apply(pod("later", serving()))
    injected.ready("pod/later", "deployment/web")
    assert carries(injected.json("pod/later"))
    assert injected.run("peer", "get", "http://127.0.0.1:8080/", of="pod/later", container="app").startswith("later ")
    after = restarts(injected)
    assert {name: after[name] for name in before} == before
    mesh.system.ready("deployment/proa-webhook", "deployment/proa-ca")


def restarts(inside: Kubectl) -> dict[str, int]:
    """By pod: how often any of its containers was started again."""

    def count(found: dict[str, Any]) -> int:
        statuses = found["status"]["containerStatuses"] + found["status"]["initContainerStatuses"]
        return sum(int(status["restartCount"]) for status in statuses)

    return {each["metadata"]["name"]: count(each) for each in inside.json("pods")}
