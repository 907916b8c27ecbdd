"""How far a Deployment or a DaemonSet has come, and what its pods are waiting for. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from installation.trees import listed, member, number, text, texts
from proa.json import Json


@dataclass(frozen=True, slots=True)
class Deployment:
    """*updated* counts pods of the present template, *available* and *total* those of former ones, too, which go when
    enough new ones are available; a DaemonSet has one pod a node. *waiting* says what keeps pods back.
    """

    name: str
    wanted: int
    updated: int
    available: int
    total: int
    observed: bool
    """Whether the controller has seen the present specification: until then the counts are of the former one."""
    version: str
    """Of Proa, by the standard label."""
    waiting: tuple[str, ...] = ()

    @property
    def ready(self) -> bool:
        """As kubectl rollout status sees it: no pod of a former template is there any more, and all are available."""
        renewed = self.observed and self.updated >= self.wanted and self.total <= self.updated
        return renewed and self.available >= self.wanted

    @property
    def standing(self) -> str:
        """How far it has come, for people."""
        former = max(0, self.total - self.updated)
        fresh = max(0, min(self.updated, self.available - former))
        beside = f", {former} of before still there" if former else ""
        return f"{fresh} of {self.wanted} pods ready{beside}"


_OF_REPLICAS: Final = ("updatedReplicas", "availableReplicas", "replicas")
_OF_NODES: Final = ("updatedNumberScheduled", "numberAvailable", "currentNumberScheduled")
"""The counts of apps/v1 DeploymentStatus and DaemonSetStatus."""


def deployment(raw: Json, pods: list[Json]) -> Deployment:
    """The state of the Deployment or DaemonSet *raw*; of *pods*, those that its selector takes."""
    status = member(raw, "status")
    selected = texts(raw, "spec", "selector", "matchLabels")
    own = [pod for pod in pods if selected.items() <= texts(pod, "metadata", "labels").items()]
    of_nodes = text(raw, "kind") == "DaemonSet"
    updated, available, total = _OF_NODES if of_nodes else _OF_REPLICAS
    return Deployment(
        name=text(raw, "metadata", "name"),
        wanted=number(status, "desiredNumberScheduled") if of_nodes else number(raw, "spec", "replicas"),
        updated=number(status, updated),
        available=number(status, available),
        total=number(status, total),
        observed=number(status, "observedGeneration") >= number(raw, "metadata", "generation"),
        version=texts(raw, "metadata", "labels").get("app.kubernetes.io/version", ""),
        waiting=tuple(dict.fromkeys(_reasons(own))),
    )


def _reasons(pods: list[Json]) -> Iterator[str]:
    for pod in pods:
        name = text(pod, "metadata", "name")
        yield from (f"{name}: {reason}" for reason in _of_containers(pod))
        for each in listed(pod, "status", "conditions"):
            if text(each, "type") == "PodScheduled" and text(each, "status") == "False":
                yield f"{name}: {text(each, 'reason')}: {text(each, 'message')}"


def _of_containers(pod: Json) -> Iterator[str]:
    kinds = ("initContainerStatuses", "containerStatuses")
    for each in (status for kind in kinds for status in listed(pod, "status", kind)):
        name, waiting, ended = text(each, "name"), member(each, "state", "waiting"), member(each, "state", "terminated")
        last = member(each, "lastState", "terminated")
        if waiting is not None and text(waiting, "reason") not in ("ContainerCreating", "PodInitializing"):
            yield f"{name}: {text(waiting, 'reason')}{_told(waiting, last)}"
        elif ended and number(ended, "exitCode"):
            yield f"{name}: ended with {number(ended, 'exitCode')}"
        elif member(each, "state", "running") is not None and member(each, "ready") is False:
            yield f"{name}: running, not ready"


def _told(waiting: Json, last: Json) -> str:
    """How it ended the last time says more than that it is kept waiting for it; of a log, its last line."""
    ended = text(last, "message").strip()
    if ended:
        return f": {ended.splitlines()[-1]}"
    if last:
        return f": it ended with {number(last, 'exitCode')} ({text(last, 'reason')})"
    told = text(waiting, "message")
    return f": {told}" if told else ""
