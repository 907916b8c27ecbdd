"""How far a Deployment has come, and what its pods are waiting for. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

from installation.trees import listed, member, number, text, texts
from proa.json import Json


@dataclass(frozen=True, slots=True)
class Deployment:
    """*updated* and *available* count pods of the present template; *waiting* says what keeps pods back."""

    name: str
    wanted: int
    updated: int
    available: int
    observed: bool
    """Whether the controller has seen the present specification: until then the counts are of the former one."""
    version: str
    """Of Proa, by the standard label."""
    waiting: tuple[str, ...] = ()

    @property
    def ready(self) -> bool:
        return self.observed and self.updated >= self.wanted and self.available >= self.wanted


def deployment(raw: Json, pods: list[Json]) -> Deployment:
    """The state of the Deployment *raw*; of *pods*, those that its selector takes."""
    status = member(raw, "status")
    wanted = texts(raw, "spec", "selector", "matchLabels")
    own = [pod for pod in pods if wanted.items() <= texts(pod, "metadata", "labels").items()]
    return Deployment(
        name=text(raw, "metadata", "name"),
        wanted=number(raw, "spec", "replicas"),
        updated=number(status, "updatedReplicas"),
        # Old pods count as available, too, while a new template is rolled out.
        available=number(status, "availableReplicas") if number(status, "replicas") else 0,
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
