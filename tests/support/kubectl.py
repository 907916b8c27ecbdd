"""kubectl as a value: which cluster, which namespace; and the objects of a cluster's tests."""

import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

PEER: Final = os.environ.get("PROA_TEST_IMAGE", "localhost/busybox:1")
"""An image with a shell and `peer` (tests/cluster/peer)."""
OF_A_TEST: Final = "proa.dev/test"
"""Label of every namespace that a test makes; its value may say which."""
GONE: Final = ("--ignore-not-found", "--wait=false")


class Failed(AssertionError):
    """kubectl ended with a status other than 0; *output* is what it wrote to standard error."""

    def __init__(self, arguments: tuple[str, ...], output: str) -> None:
        super().__init__(f"kubectl {' '.join(arguments)}\n{output}")
        self.output = output


@dataclass(frozen=True, slots=True)
class Kubectl:
    program: str
    kubeconfig: Path
    namespace: str = ""

    def __call__(self, *arguments: str, given: object = None, seconds: float = 120) -> str:
        """What kubectl wrote. *given* is its standard input: text, or objects. Raises Failed."""
        text = given if isinstance(given, str) else json.dumps(given)
        namespace = (f"--namespace={self.namespace}",) if self.namespace else ()
        command = (self.program, f"--kubeconfig={self.kubeconfig}", *namespace, *arguments)
        done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=seconds, check=False)
        if done.returncode != 0:
            raise Failed(arguments, done.stderr)
        # Warnings are the API server's word to the user: tests look for them.
        return done.stdout + "".join(line for line in done.stderr.splitlines(keepends=True) if "Warning" in line)

    def within(self, namespace: str) -> "Kubectl":
        return replace(self, namespace=namespace)

    def json(self, *arguments: str) -> Any:
        """The object that `kubectl get` shows; of several, a list of them."""
        found = json.loads(self("get", *arguments, "--output=json"))
        return found["items"] if found.get("kind") == "List" else found

    def found(self, *arguments: str) -> Any:
        """The object, or None where it is not there. Asked once: between two questions it may go."""
        text = self("get", *arguments, "--ignore-not-found", "--output=json")
        return json.loads(text) if text else None

    def apply(self, *objects: object) -> str:
        return self("apply", "--filename=-", given=listed(*objects))

    def create(self, *objects: object) -> str:
        return self("create", "--filename=-", given=listed(*objects))

    def run(self, *command: str, of: str, container: str = "") -> str:
        """What *command* wrote in a pod, or in a pod of a workload such as deployment/web."""
        return self("exec", of, *((f"--container={container}",) if container else ()), "--", *command)

    def ready(self, *names: str, seconds: float = 120) -> None:
        """Wait until each of *names*, pods or workloads, is. Raises Failed with what the cluster says about it."""
        for name in names:
            kind = name.partition("/")[0]
            wait = (
                ("rollout", "status", name)
                if kind in {"deployment", "daemonset", "statefulset"}
                else ("wait", f"--for=condition={'complete' if kind == 'job' else 'ready'}", name)
            )
            try:
                self(*wait, f"--timeout={seconds:g}s", seconds=seconds + 30)
            except Failed as failed:
                raise Failed((*wait,), failed.output + self.report()) from None

    def report(self) -> str:
        """What an admin would look at first."""
        events = self("get", "events", "--sort-by=.lastTimestamp", "--output=wide")
        pods = self("get", "pods", "--output=wide")
        return f"\n{pods}\n{events[-6000:]}"

    def autopsy(self) -> str:
        """What somebody who was not there needs of a namespace in which a test has failed, before it is deleted."""
        described = [self.report()]
        for each in self.json("pods"):
            name = each["metadata"]["name"]
            described += [name, json.dumps(each["metadata"].get("annotations", {})), json.dumps(each["status"])]
            asked = ("logs", name, "--all-containers", "--prefix", "--timestamps", "--tail=40")
            try:
                described.append(self(*asked))
            except Failed as failed:
                described.append(failed.output)
        return "\n".join(described)

    @contextmanager
    def new_namespace(self, name: str, labels: dict[str, str] | None = None) -> Iterator["Kubectl"]:
        """A namespace in which pods can be made; deleted at the end without waiting for it."""
        metadata = {"name": name, "labels": {OF_A_TEST: "", **(labels or {})}}
        self.create({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
        inside = self.within(name)
        try:
            # Pods are refused before their ServiceAccount is there; another controller brings the API server's roots.
            wanted = ("serviceaccount/default", "configmap/kube-root-ca.crt")
            found = ("get", *wanted, "--ignore-not-found", "--output=name")
            eventually(lambda: len(inside(*found).split()) == len(wanted), f"{name}'s account and roots")
            yield inside
        except BaseException:
            sys.stdout.write(inside.autopsy())
            raise
        finally:
            self("delete", "namespace", name, *GONE)


def answered(inside: Kubectl, url: str, *, by: str, begins: str = "", container: str = "app") -> bool:
    """Whether *by*, a pod or a workload, gets a page that *begins* so: it may be too early, or not allowed."""
    try:
        page = inside.run("peer", "get", url, of=by, container=container)
    except Failed:
        return False
    return bool(page) and page.startswith(begins)


def serves(found: dict[str, Any]) -> bool:
    """Whether a pod is ready, and not ending."""
    conditions = {each["type"]: each["status"] for each in found["status"].get("conditions", [])}
    return "deletionTimestamp" not in found["metadata"] and conditions.get("Ready") == "True"


def eventually(condition: Callable[[], Any], awaited: str, seconds: float = 60, pause: float = 1) -> Any:
    """What *condition* answers as soon as it is true. The first questions follow each other soon, later ones *pause*
    seconds apart: each is a process of kubectl's, and takes a seventh of a second of a processor that others need."""
    deadline, soon = time.monotonic() + seconds, 0.1
    while not (answer := condition()):
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {awaited}"
        time.sleep(min(soon, pause))
        soon *= 1.5
    return answer


def once_mounted(inside: Kubectl, condition: Callable[[], Any], awaited: str, seconds: float = 150) -> Any:
    """As `eventually`, of what pods see in a ConfigMap or a trust bundle that they mount: each has its turn at the
    kubelet now, as its annotation changes, and not within the minute and a half that it would take."""

    def looked() -> Any:
        inside("annotate", "pods", "--all", "--overwrite", f"{OF_A_TEST}={secrets.token_hex(4)}")
        return condition()

    return eventually(looked, awaited, seconds, pause=2)


def listed(*objects: object) -> dict[str, object]:
    return {"apiVersion": "v1", "kind": "List", "items": list(objects)}


def pod_spec(*command: str, **more: object) -> dict[str, Any]:
    """Of one container, `app`, that runs *command*; ends at once when told to."""
    container = {"name": "app", "image": PEER, "command": list(command)}
    return {"containers": [container], "terminationGracePeriodSeconds": 0, **more}


def serving() -> dict[str, Any]:
    """Pages on port 8080, and an answer to every probe."""
    spec = pod_spec("sh", "-c", "echo serving; exec peer serve")
    spec["containers"][0] |= {
        "ports": [{"name": "http", "containerPort": 8080}],
        "readinessProbe": {"httpGet": {"path": "/healthz", "port": "http"}, "periodSeconds": 1},
    }
    return spec


def pod(name: str, spec: dict[str, Any], **metadata: object) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, **metadata}, "spec": spec}


def workload(kind: str, name: str, spec: dict[str, Any], **more: object) -> dict[str, Any]:
    """A Deployment, StatefulSet or DaemonSet of pods labelled `app: name`."""
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": spec}
    selection = {"selector": {"matchLabels": labels}, "template": template}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name}, "spec": {**selection, **more}}


def service(name: str, port: int, **more: object) -> dict[str, Any]:
    """Of the pods labelled `app: name`, on port 80, with an address of each family."""
    ports = [{"name": "http", "port": 80, "targetPort": port}]
    spec = {"selector": {"app": name}, "ports": ports, "ipFamilyPolicy": "PreferDualStack", **more}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}
