"""The cluster goes on while webhooks come and go, and says what to do when there is none."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from proa import names
from support.kubectl import Failed, Kubectl, eventually, pod, pod_spec, serves
from support.mesh import IN_MESH, Mesh, carries
from support.trickle import Trickle

PODS = 200
SELECTOR = f"--selector=app.kubernetes.io/name={names.WEBHOOK}"


def webhooks(mesh: Mesh) -> set[str]:
    """The pods that are ready to answer."""
    return {each["metadata"]["name"] for each in mesh.system.json("pods", SELECTOR) if serves(each)}


def test_no_pod_is_lost_while_every_webhook_is_replaced(mesh: Mesh, injected: Kubectl) -> None:
    former = eventually(lambda: _two(webhooks(mesh)), "two webhooks", 60)
    with Trickle(injected, at_once=4) as creating:
        for name in former:
            mesh.system("delete", "pod", name, "--wait=false")
            eventually(lambda name=name: _two(webhooks(mesh) - {name}), f"a webhook in place of {name}", 90)
        creating.some_more(PODS - creating.created)
    assert creating.refused == []
    found = creating.pods()
    assert len(found) == creating.created >= PODS
    assert [each["metadata"]["name"] for each in found if not carries(each)] == []


def _two(found: set[str]) -> set[str]:
    return found if len(found) >= 2 else set()


@contextmanager
def no_webhook(mesh: Mesh) -> Iterator[None]:
    replicas = mesh.system.json(f"deployment/{names.WEBHOOK}")["spec"]["replicas"]
    mesh.system("scale", f"deployment/{names.WEBHOOK}", "--replicas=0")
    try:
        mesh.system("wait", "pods", SELECTOR, "--for=delete", "--timeout=90s")
        yield
    finally:
        mesh.system("scale", f"deployment/{names.WEBHOOK}", f"--replicas={replicas}")
        mesh.system.ready(f"deployment/{names.WEBHOOK}")
        eventually(mesh.injects, "injection")


def test_without_a_webhook_a_closed_namespace_refuses_and_an_open_one_lets_in_and_status_tells(
    mesh: Mesh, injected: Kubectl
) -> None:
    open_labels = {**IN_MESH, names.ON_FAILURE: "open"}
    with mesh.kubectl.new_namespace(f"{injected.namespace}-open", open_labels) as let_in:
        with no_webhook(mesh):
            with pytest.raises(Failed) as refusal:
                injected.apply(pod("app", pod_spec("sleep", "infinity")))
            let_in.apply(pod("app", pod_spec("sleep", "infinity")))
        # An admin reads which registration, which of its failure modes, which Service, and that nobody is behind it.
        for word in ("namespace.closed.default.webhook.proa.dev", "proa-webhook.proa-system.svc", "connect"):
            assert word in refusal.value.output
        assert not carries(let_in.json("pod/app"))
        told = json.loads(mesh.proa("status", f"--namespace={let_in.namespace}", "--output=json", status=1))
        assert [(each["name"], each["state"]) for each in _pods(told)] == [("app", "missing")]
        injected.apply(pod("app", pod_spec("sleep", "infinity")))
        assert carries(injected.json("pod/app"))


def _pods(told: dict[str, Any]) -> list[dict[str, Any]]:
    (namespace,) = told["namespaces"]
    found: list[dict[str, Any]] = namespace["pods"]
    return found
