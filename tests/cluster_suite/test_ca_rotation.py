"""A whole root rotation under traffic: pods that started before, during and after it speak mTLS, and no call fails.

Nor does what runs meanwhile: these tests are beside all others but those that need the authority's replicas, and the
webhooks of every revision are made anew before the former root goes.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from proa import names
from support.kubectl import Kubectl, answered, eventually, once_mounted, pod, pod_spec, serving, workload
from support.mesh import Mesh, connections, discovered

pytestmark = pytest.mark.beside_others("replicas")

SETTLING = 180
"""Seconds; the shortest there is. Twice the kubelet's longest turn."""
LAST = 8 * SETTLING
"""For all of it: the wait, the kubelets' turns, two restarts."""


@pytest.fixture(scope="module")
def strict(mesh: Mesh) -> Iterator[Kubectl]:
    discovery = {"kind": "files", "configMap": names.DISCOVERY_VOLUME}
    revision = mesh.revision("rotation", peerTls="strict", discovery=discovery)
    with revision as labels, mesh.kubectl.new_namespace("rotation", labels) as it:
        it.apply(discovered(it, ports=(8080,)))
        yield it


def status(mesh: Mesh, expected: int = 0) -> Any:
    return mesh.report("ca", "status", status=expected)


def only_pod(inside: Kubectl, app: str) -> dict[str, Any]:
    found = inside.json("pods", f"--selector=app={app}")
    (one,) = [each for each in found if "deletionTimestamp" not in each["metadata"]]
    return one


def known(inside: Kubectl, *apps: str) -> None:
    """Every sidecar learns of the pods of *apps* at the kubelet's next turn."""
    inside.apply(discovered(inside, *(only_pod(inside, app) for app in apps), ports=(8080,)))


def caller(inside: Kubectl, name: str, server: str) -> None:
    """A pod that calls *server* five times a second, each time by a new connection, once a call has worked by mTLS."""
    url = url_of(inside, server)
    wait = f"until peer get {url} >/dev/null 2>&1; do sleep 1; done; echo begun"
    loop = f"while :; do peer get {url} >/dev/null 2>/tmp/why || {{ echo failed; cat /tmp/why; }}; sleep 0.2; done"
    inside.apply(pod(name, pod_spec("sh", "-c", f"{wait}; {loop}"), labels={"app": name}))
    inside.ready(f"pod/{name}", seconds=180)
    once_mounted(inside, lambda: "begun" in inside("logs", name, "--container=app"), f"{name}'s first call", 180)


def url_of(inside: Kubectl, server: str) -> str:
    return f"http://{only_pod(inside, server)['status']['podIP']}:8080/"


def failures(inside: Kubectl, *callers: str) -> str:
    return "".join(inside("logs", name, "--container=app").partition("begun")[2].strip() for name in callers)


def peers(inside: Kubectl, server: str) -> set[str]:
    return {call["downstream_peer"] for call in connections(inside, only_pod(inside, server)["metadata"]["name"])}


@pytest.mark.timeout(LAST, func_only=True)
def test_no_call_fails_while_the_root_is_replaced_and_the_authority_dies_in_the_middle(
    mesh: Mesh, strict: Kubectl
) -> None:
    assert status(mesh)["phase"] == "resting"
    (former,) = (each["sha256"] for each in status(mesh)["holdings"] if each["role"] == "root, issues")
    strict.apply(workload("Deployment", "old-server", serving()))
    strict.ready("deployment/old-server", seconds=180)
    known(strict, "old-server")
    caller(strict, "old-caller", "old-server")

    mesh.proa("ca", "rotate", f"--settle={SETTLING}")
    eventually(lambda: status(mesh)["phase"] == "settling", "both roots to be published", 60)
    # All of them at once: whoever leads next goes on from what is written.
    mesh.system("delete", "pod", f"--selector=app.kubernetes.io/name={names.AUTHORITY}", "--wait=false")
    eventually(lambda: status(mesh)["phase"] == "renewing", "the next root to issue", SETTLING + 150, pause=2)
    assert not failures(strict, "old-caller")

    # Certificates of both roots, in both directions.
    strict.apply(workload("Deployment", "new-server", serving()))
    strict.ready("deployment/new-server", seconds=180)
    known(strict, "old-server", "new-server")
    caller(strict, "new-caller", "old-server")
    caller(strict, "late-caller", "new-server")
    once_mounted(
        strict,
        lambda: answered(strict, url_of(strict, "new-server"), by="pod/old-caller"),
        "the old caller to learn of it",
        240,
    )
    assert not failures(strict, "old-caller", "new-caller", "late-caller")
    assert peers(strict, "old-server") >= {"spiffe://cluster.local/ns/rotation/sa/default"}

    # The end would come with the last certificate of the former root; here its owners go first.
    for gone in ("pod/old-caller", "pod/new-caller", "deployment/old-server"):
        strict("delete", gone)
    mesh.restart()
    mesh.proa("ca", "rotate", "--advance", "--yes")
    eventually(lambda: status(mesh)["phase"] == "resting", "the former root to go", 60)
    roots = [each for each in status(mesh)["holdings"] if each["role"].startswith("root")]
    assert len(roots) == 1
    assert roots[0]["sha256"] != former
    assert roots[0]["published"]
    assert not failures(strict, "late-caller")
    eventually(mesh.injects, "pods to be injected still", 120)


def test_a_rotation_that_is_given_up_leaves_the_root_as_it_was(mesh: Mesh) -> None:
    before = [each["sha256"] for each in status(mesh)["holdings"]]
    mesh.proa("ca", "rotate")
    mesh.proa("ca", "rotate", "--abort")
    found = eventually(lambda: now if (now := status(mesh))["phase"] == "resting" else None, "the end", 60)
    assert [each["sha256"] for each in found["holdings"]] == before
    eventually(
        lambda: set(mesh.system.json("secret", "proa-ca-root")["data"]) == {"tls.crt", "tls.key"},
        "the key of the next one to go",
        90,
    )


def test_what_a_pod_was_given_is_told_in_words(mesh: Mesh, strict: Kubectl) -> None:
    strict.apply(pod("told", pod_spec("sleep", "infinity")))
    strict.ready("pod/told", seconds=120)
    said = mesh.proa("ca", "inspect", "rotation/told")
    assert "whoever holds its key is 'spiffe://cluster.local/ns/rotation/sa/default'" in said
    assert "takes it" in said
