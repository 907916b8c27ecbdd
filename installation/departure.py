"""What stays behind when Proa goes: pods with sidecars, and namespaces that still ask for them. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from installation.survey import Namespace
from installation.trees import member, text, texts
from installation.workloads import Workload, renewal, workload
from proa import names
from proa.json import Json
from proa.namespaces import OPT_IN

_ENDED = ("Succeeded", "Failed")


@dataclass(frozen=True, slots=True)
class Carrier:
    """A workload whose pods have sidecars; *remedy* makes them anew."""

    owner: Workload
    pods: int
    remedy: str


def carriers(pods: Iterable[Json]) -> tuple[Carrier, ...]:
    """The workloads of those of *pods* that run with a sidecar."""
    counted: dict[Workload, int] = {}
    for pod in pods:
        if _carries(pod):
            owner = workload(pod)
            counted[owner] = counted.get(owner, 0) + 1
    return tuple(Carrier(owner, count, renewal(owner)) for owner, count in sorted(counted.items()))


def clinging(namespaces: Iterable[Namespace], revision: str) -> tuple[str, ...]:
    """The namespaces whose pods *revision* ("" is the default one) injects."""
    return tuple(each.name for each in namespaces if _clings(each, revision))


def _clings(namespace: Namespace, revision: str) -> bool:
    # One that is being deleted gets no new pods.
    if namespace.terminating or namespace.name in (names.SYSTEM_NAMESPACE, names.NODE_NAMESPACE):
        return False
    if namespace.labels.get(names.REVISION, "") != revision:
        return False
    return bool(revision) or namespace.labels.get(names.INJECT) in OPT_IN


def _carries(pod: Json) -> bool:
    ended = text(pod, "status", "phase") in _ENDED or member(pod, "metadata", "deletionTimestamp")
    return not ended and names.STATUS in texts(pod, "metadata", "annotations")
