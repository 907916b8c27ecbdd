"""What a pod belongs to, and how it is made anew: sidecars come and go with pods, never inside one. Pure."""

from dataclasses import dataclass
from typing import Final

from installation.trees import listed, member, text
from proa.json import Json

_RESTARTABLE: Final = ("Deployment", "StatefulSet", "DaemonSet")
"""Kinds that kubectl rollout restart takes."""


@dataclass(frozen=True, slots=True, order=True)
class Workload:
    """What made a pod, or the pod itself."""

    namespace: str
    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


def workload(pod: Json) -> Workload:
    """What *pod* belongs to. A ReplicaSet of a Deployment is told by the hash that ends its name (apps/v1)."""
    namespace = text(pod, "metadata", "namespace")
    owner = next((each for each in listed(pod, "metadata", "ownerReferences") if member(each, "controller")), None)
    if owner is None:
        return Workload(namespace, "Pod", text(pod, "metadata", "name"))
    kind, name = text(owner, "kind"), text(owner, "name")
    template = text(pod, "metadata", "labels", "pod-template-hash")
    if kind == "ReplicaSet" and template and name.endswith(f"-{template}"):
        return Workload(namespace, "Deployment", name.removesuffix(f"-{template}"))
    return Workload(namespace, kind, name)


def renewal(owner: Workload) -> str:
    """What an admin does so that the workload's pods are created again."""
    match owner.kind:
        case kind if kind in _RESTARTABLE:
            return f"kubectl -n {owner.namespace} rollout restart {kind.lower()}/{owner.name}"
        case "Job":
            return f"let it end, or delete and create again: kubectl -n {owner.namespace} delete job {owner.name}"
        case "Pod":
            return f"delete and create again: kubectl -n {owner.namespace} delete pod {owner.name}"
        case kind:
            return f"have {kind} {owner.name} make its pods again, or delete them: it creates new ones"
