"""Proa in a cluster: installed, configured, taken away; and what the pods and Envoys of a mesh tell."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final

import yaml

from discovery.files import subscription_files
from discovery.model import Transport, Workload
from discovery.resources import resources
from installation.postflight import ABOUT_OTHERS
from proa import names
from proa.identity import TrustDomain, WorkloadIdentity
from proa.mesh import AccessLog
from support.kubectl import OF_A_TEST, Failed, Kubectl, eventually, pod, pod_spec

MANIFESTS: Final = Path(__file__).parents[2] / "manifests"
PROCESSES: Final = (f"deployment/{names.WEBHOOK}", f"deployment/{names.AUTHORITY}")
IN_MESH: Final = {names.INJECT: "enabled"}
_HEARTBEATS: Final = ("componentstatuses", "certificatesigningrequests.certificates.k8s.io")


@dataclass(frozen=True, slots=True)
class Mesh:
    """*environment* is what the command is given beside the cluster."""

    kubectl: Kubectl
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def system(self) -> Kubectl:
        return self.kubectl.within(names.SYSTEM_NAMESPACE)

    @property
    def installed(self) -> bool:
        return bool(self.system("get", "--ignore-not-found", *PROCESSES, "--output=name"))

    @property
    def versions(self) -> dict[str, str]:
        """What each Deployment says that it is, by its name."""
        found = self.system.json("deployments")
        return {each["metadata"]["name"]: each["metadata"]["labels"]["app.kubernetes.io/version"] for each in found}

    def restart(self) -> None:
        """With the image that the node has now."""
        self.system("rollout", "restart", *PROCESSES)
        self.system.ready(*PROCESSES, seconds=180)

    def install(self, *way: str) -> float:
        """Apply the manifests; the seconds until every process is Ready and pods are injected."""
        started = time.monotonic()
        self.kubectl("apply", *(way or ("--server-side", "--force-conflicts")), f"--kustomize={MANIFESTS}")
        self.system.ready(*PROCESSES, seconds=180)
        eventually(self.injects, "the first injected pod")
        return time.monotonic() - started

    def uninstall(self) -> None:
        self.proa("uninstall", "--yes")

    def proa(self, *arguments: str, status: int = 0) -> str:
        """What the command wrote: first to standard output, then to standard error."""
        done = self._ran(*arguments)
        assert done.returncode == status, f"status {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr

    def report(self, *arguments: str, status: int = 0) -> Any:
        """What a command prints for scripts; what it prints beside that goes to standard error."""
        return json.JSONDecoder().raw_decode(self.proa(*arguments, "--output=json", status=status))[0]

    def states(self, namespace: str, status: int) -> list[str]:
        """Of the pods of a namespace, by `proa status`, which ends with that *status*."""
        (found,) = self.report("status", f"--namespace={namespace}", status=status)["namespaces"]
        return sorted(each["state"] for each in found["pods"])

    def checked(self, *arguments: str) -> dict[str, str]:
        """What `proa check` finds of the installation, and not of what others have left in a cluster that they use."""
        done = self._ran("check", "--output=json", *arguments)
        found = json.loads(done.stdout)
        assert (done.returncode, found["scope"]) == (0 if found["ok"] else 1, "installation")
        return {each["code"]: each["outcome"] for each in found["checks"] if each["code"] not in ABOUT_OTHERS}

    def _ran(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        program = Path(sys.executable).with_name("proa")
        cluster = {"KUBECONFIG": str(self.kubectl.kubeconfig), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
        return subprocess.run(
            [program, *arguments],
            env={**cluster, **self.environment},
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )

    def injects(self) -> bool:
        """Whether a pod would get its sidecar now."""
        try:
            return carries(self.rehearsed())
        except Failed:
            return False

    def rehearsed(self) -> dict[str, Any]:
        """A pod as the API server would store it, in a namespace that nobody labelled."""
        example = pod("rehearsed", pod_spec("true"), labels=IN_MESH)
        arguments = ("create", "--dry-run=server", "--filename=-", "--output=json")
        return json.loads(self.kubectl(*arguments, given=example))

    @contextmanager
    def configured(self, **settings: object) -> Iterator[None]:
        """Every webhook goes by *settings*, beside what is configured already, until the end."""
        former = self.system.json("configmap", names.CONFIGURATION_MAP)["data"][names.CONFIGURATION_KEY]
        self._configure(yaml.safe_dump({**(yaml.safe_load(former) or {}), **settings}))
        try:
            yield
        finally:
            self._configure(former)

    def _configure(self, document: str) -> None:
        before = self._configurations()
        patch = {"data": {names.CONFIGURATION_KEY: document}}
        self.system("patch", "configmap", names.CONFIGURATION_MAP, "--type=merge", f"--patch={json.dumps(patch)}")

        def followed() -> bool:
            now = self._configurations()
            return all(now.get(name, count + 1) > count for name, count in before.items())

        eventually(followed, "every webhook's new configuration")

    def _configurations(self) -> dict[str, int]:
        """How many each webhook has had in force. Pods would not tell: the API server may ask one of them each time."""
        found = self.system.json("pods", f"--selector=app.kubernetes.io/name={names.WEBHOOK}")
        standing = [each["metadata"]["name"] for each in found if "deletionTimestamp" not in each["metadata"]]
        return {name: self.system("logs", name).count("configuration in force") for name in standing}


def carries(found: dict[str, Any]) -> bool:
    """Whether a pod has its sidecar."""
    return any(container["name"] == names.PROXY_CONTAINER for container in found["spec"].get("initContainers", []))


def whole_cluster(kubectl: Kubectl) -> dict[str, Any]:
    """Every cluster-scoped object, by kind and name, as it would be read byte for byte.

    Without what beats on by itself, the node's status, and without the tests' own namespaces and their addresses.
    """
    kinds = kubectl("api-resources", "--namespaced=false", "--verbs=list,get", "--output=name").split()
    asked = ",".join(sorted(set(kinds) - set(_HEARTBEATS)))
    found = json.loads(kubectl("get", asked, "--output=json", "--show-managed-fields"))["items"]
    passing = {each["metadata"]["name"] for each in found if OF_A_TEST in each["metadata"].get("labels", {})}
    return {
        f"{each['kind']}/{each['metadata']['name']}": _still(each)
        for each in found
        if each["metadata"]["name"] not in passing
        and each.get("spec", {}).get("parentRef", {}).get("namespace") not in passing
    }


def _still(found: dict[str, Any]) -> dict[str, Any]:
    """*found* without what Kubernetes itself writes as time goes by: a node's status, and when it has last made an
    aggregated role (`view`, which shows Proa's objects while they are there) out of its parts."""
    if found["kind"] != "Node" and "aggregationRule" not in found:
        return found
    beats = {"resourceVersion", "managedFields"}
    metadata = {key: value for key, value in found["metadata"].items() if key not in beats}
    return {**found, "metadata": metadata, "status": {}}


def pods(inside: Kubectl, app: str) -> list[dict[str, Any]]:
    """Of the workload *app*, but for those that are ending."""
    found = inside.json("pods", f"--selector=app={app}")
    return [each for each in found if "deletionTimestamp" not in each["metadata"]]


def address(found: dict[str, Any], family: int) -> str:
    """Of a pod, as it stands in a URL."""
    (ip,) = [each["ip"] for each in found["status"]["podIPs"] if (":" in each["ip"]) == (family == 6)]
    return f"[{ip}]" if family == 6 else ip


def connections(inside: Kubectl, pod_name: str) -> list[dict[str, Any]]:
    """The access log of a pod's Envoy."""
    lines = inside("logs", pod_name, f"--container={names.PROXY_CONTAINER}").splitlines()
    return [json.loads(line) for line in lines if line.startswith("{")]


def discovered(inside: Kubectl, *pods: dict[str, Any], ports: tuple[int, ...]) -> dict[str, Any]:
    """The ConfigMap from which sidecars of the namespace know of *pods*, which stand behind sidecars of their own."""
    workloads = [
        Workload(
            WorkloadIdentity(TrustDomain("cluster.local"), inside.namespace, found["spec"]["serviceAccountName"]),
            tuple(ip_address(each["ip"]) for each in found["status"]["podIPs"]),
            ports,
            Transport.MTLS,
        )
        for found in pods
    ]
    files = subscription_files(resources(workloads, AccessLog.JSON))
    data = {name: content.decode() for name, content in files.items()}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": names.DISCOVERY_VOLUME}, "data": data}
