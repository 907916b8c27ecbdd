"""Proa in a cluster: installed, configured, taken away; and what the pods and Envoys of a mesh tell."""

import json
import subprocess
import sys
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
from proa.containers import AccessLog
from proa.digest import digest
from proa.identity import TrustDomain, WorkloadIdentity
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
        """Every process of every revision, with the image that the node has now."""
        for each in self.system("get", "deployments", "--output=name").split():
            try:
                self.system("rollout", "restart", each)
            except Failed:
                # Whoever is beside takes a revision of its own away.
                if self.system("get", each, "--ignore-not-found"):
                    raise
        eventually(lambda: all(map(_rolled_out, self.system.json("deployments"))), "every process anew", 180)

    def install(self, **settings: object) -> None:
        """By the command, whoever had it installed before."""
        self._set("install", settings, "--force-conflicts")
        eventually(self.injects, "the first injected pod")

    def apply(self, *way: str, overlay: str = ".") -> None:
        """The manifests, by kubectl; every process is Ready in the end, and pods are injected."""
        self.kubectl("apply", *way, f"--kustomize={MANIFESTS / overlay}")
        self.system.ready(*PROCESSES, seconds=180)
        eventually(self.injects, "the first injected pod")

    @contextmanager
    def opened(self, authority: dict[str, Any], *ours: str) -> Iterator[None]:
        """With doors of the authority's open, which are closed again; *ours* is what they make for themselves."""
        try:
            with self.upgraded(authority=authority):
                yield
        finally:
            self.system("delete", "--ignore-not-found", *ours)

    def uninstall(self) -> None:
        self.proa("uninstall", "--yes")

    def proa(self, *arguments: str, status: int = 0, given: str = "") -> str:
        """What the command wrote: first to standard output, then to standard error. *given* is its standard input."""
        done = self._ran(*arguments, given=given)
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

    def _ran(self, *arguments: str, given: str = "") -> "subprocess.CompletedProcess[str]":
        program = Path(sys.executable).with_name("proa")
        cluster = {"KUBECONFIG": str(self.kubectl.kubeconfig), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
        return subprocess.run(
            [program, *arguments],
            env={**cluster, **self.environment},
            input=given,
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
    def revision(self, name: str, **settings: object) -> Iterator[dict[str, str]]:
        """A webhook of its own, which goes by *settings*; the labels of a namespace that it injects."""
        self.proa(
            "install", f"--revision={name}", "--profile=minimal", "--set-config=-", given=yaml.safe_dump(settings)
        )
        try:
            yield {**IN_MESH, names.REVISION: name}
        finally:
            self.proa("uninstall", "--force", f"--revision={name}")

    @contextmanager
    def upgraded(self, **settings: object) -> Iterator[None]:
        """The default revision and what all share, with what *settings* need; in the end without."""
        self._set("upgrade", settings, "--force-conflicts")
        try:
            yield
        finally:
            self._set("upgrade", {}, "--force-conflicts")

    def _set(self, command: str, settings: dict[str, object], *options: str) -> None:
        self.proa(command, "--set-config=-", *options, given=yaml.safe_dump(settings))

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
        patch = {"data": {names.CONFIGURATION_KEY: document}}
        self.system("patch", "configmap", names.CONFIGURATION_MAP, "--type=merge", f"--patch={json.dumps(patch)}")
        wanted = {digest(document.encode())}
        eventually(lambda: self._configurations() == wanted, "every webhook's new configuration")

    def _configurations(self) -> set[str]:
        """What the webhooks have in force. Pods would not tell: the API server may ask one of them each time."""
        found = self.system.json("pods", f"--selector=app.kubernetes.io/name={names.WEBHOOK}")
        standing = [each["metadata"]["name"] for each in found if "deletionTimestamp" not in each["metadata"]]
        return {self._document(name) for name in standing}

    def _document(self, name: str) -> str:
        """By what that pod's process says; nothing where there is none yet, or none any more."""
        try:
            return _in_force(self.system("logs", name))
        except Failed:
            return ""


def _in_force(log: str) -> str:
    """The digest of the last configuration that a process says it goes by."""
    events = [json.loads(line) for line in log.splitlines() if "configuration in force" in line]
    return events[-1]["document"] if events else ""


def _rolled_out(deployment: dict[str, Any]) -> bool:
    """Whether its pods are those that its newest template asks for, and no others (`kubectl rollout status`)."""
    wanted, status = deployment["spec"]["replicas"], deployment["status"]
    counts = [status.get(count, 0) for count in ("replicas", "updatedReplicas", "availableReplicas")]
    return status.get("observedGeneration") == deployment["metadata"]["generation"] and counts == [wanted] * 3


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
