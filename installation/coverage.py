"""Which pods have their sidecar, which lack it or have an outdated one, and why: what `proa status` shows. Pure.

The decision is the webhook's own, asked again about the pods that are there.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from installation.revised import asked
from installation.survey import Namespace
from installation.trees import member, text, texts
from installation.workloads import Workload, workload
from proa import names
from proa.errors import Invalid, shown
from proa.json import Json
from proa.mesh import MeshConfiguration
from proa.namespaces import OPT_IN, OPT_OUT
from webhook.customising import fingerprint
from webhook.decision import Inject, Leave, Subject, decision
from webhook.decoding import converted
from webhook.pod import Pod
from webhook.status import recorded

_ENDED: Final = ("Succeeded", "Failed")


class State(StrEnum):
    INJECTED = "injected"
    OUTDATED = "outdated"
    MISSING = "missing"
    """The decision is to inject, and there is no sidecar."""
    LEFT = "left"
    """The decision is to leave it."""
    REFUSED = "refused"
    """The webhook would refuse it today; it was created before it was asked."""


@dataclass(frozen=True, slots=True)
class Revision:
    """An installed revision. *fingerprint* is that of the sidecar that it gives, empty where it is not known."""

    configuration: MeshConfiguration
    fingerprint: str
    since: str
    """When it was registered (RFC 3339)."""


@dataclass(frozen=True, slots=True)
class Covered:
    """One pod."""

    name: str
    owner: Workload
    state: State
    reason: str


@dataclass(frozen=True, slots=True)
class Coverage:
    """One namespace. *wish* is its label, empty without one; *faults* are of the namespace itself."""

    namespace: str
    wish: str
    revision: str
    on_failure: str
    pods: tuple[Covered, ...]
    faults: tuple[str, ...]

    def count(self, *states: State) -> int:
        return sum(pod.state in states for pod in self.pods)

    @property
    def sound(self) -> bool:
        """Whether every pod has what its namespace asks for."""
        return not self.faults and not self.count(State.OUTDATED, State.MISSING, State.REFUSED)


@dataclass(frozen=True, slots=True)
class Group:
    """Pods of one workload that are alike: *count* of them."""

    owner: Workload
    state: State
    reason: str
    count: int


def groups(found: Coverage, *states: State) -> tuple[Group, ...]:
    """The pods of *states* in *found*, by workload and reason."""
    alike: dict[tuple[Workload, State, str], int] = {}
    for pod in found.pods:
        if pod.state in states:
            key = (pod.owner, pod.state, pod.reason)
            alike[key] = alike.get(key, 0) + 1
    return tuple(Group(*key, count) for key, count in sorted(alike.items()))


def coverage(
    namespaces: Iterable[Namespace], pods: Iterable[Json], revisions: Mapping[str, Revision]
) -> tuple[Coverage, ...]:
    """The namespaces that have to do with Proa, by name: opted in, or with pods that are or ask to be injected.

    *revisions* by name, "" for the default one.
    """
    running: dict[str, list[Json]] = {}
    for pod in pods:
        if text(pod, "status", "phase") not in _ENDED and not member(pod, "metadata", "deletionTimestamp"):
            running.setdefault(text(pod, "metadata", "namespace"), []).append(pod)
    found = (_covered(each, running.get(each.name, []), revisions) for each in namespaces)
    return tuple(sorted(filter(_concerned, found), key=lambda each: each.namespace))


def _concerned(found: Coverage) -> bool:
    asks = found.wish and found.wish not in OPT_OUT
    return bool(asks or found.faults or any(pod.state is not State.LEFT for pod in found.pods))


def _covered(namespace: Namespace, pods: list[Json], revisions: Mapping[str, Revision]) -> Coverage:
    configurations = {name: each.configuration for name, each in revisions.items()}
    name = asked(namespace.labels, {}, configurations)
    open_ = namespace.labels.get(names.ON_FAILURE) == "open"
    revision = revisions.get(name)

    def of(pod: Json) -> Revision | None:
        return revisions.get(asked(namespace.labels, texts(pod, "metadata", "labels"), configurations))

    return Coverage(
        namespace=namespace.name,
        wish=namespace.labels.get(names.INJECT, ""),
        revision=name,
        on_failure="open" if open_ else "closed",
        pods=tuple(_pod(pod, namespace, of(pod)) for pod in pods),
        faults=tuple(_faults(namespace, name, revision)),
    )


def _faults(namespace: Namespace, name: str, revision: Revision | None) -> Iterator[str]:
    wish = namespace.labels.get(names.INJECT)
    if revision is None and (name or wish in OPT_IN):
        which = f"revision {name}, which is not installed" if name else "the default revision, which is not installed"
        yield f"it asks for {which}: new pods get no sidecar"
    if wish is not None and wish not in (*OPT_IN, *OPT_OUT):
        yield f"its label {names.INJECT} is {shown(wish)}: new pods are refused"


def _pod(raw: Json, namespace: Namespace, revision: Revision | None) -> Covered:
    state, reason = _state(raw, namespace, revision)
    return Covered(text(raw, "metadata", "name"), workload(raw), state, reason)


def _state(raw: Json, namespace: Namespace, revision: Revision | None) -> tuple[State, str]:
    configuration = MeshConfiguration() if revision is None else revision.configuration
    try:
        pod = converted(raw, Pod, "")
        if pod.carries_sidecar:
            return _age(raw, revision)
        decided = decision(Subject(pod, namespace.name, namespace.labels, configuration))
    except Invalid as problem:
        return State.REFUSED, str(problem)
    match decided:
        case Inject():
            return State.MISSING, _why_missing(raw, namespace, revision)
        case Leave(reason):
            return State.LEFT, reason.sentence


def _age(raw: Json, revision: Revision | None) -> tuple[State, str]:
    if revision is None or not revision.fingerprint:
        return State.INJECTED, ""
    try:
        record = recorded(texts(raw, "metadata", "annotations").get(names.STATUS, ""))
    except Invalid:
        return State.OUTDATED, "another version of Proa injected it"
    if _is_given(raw, record.fingerprint, revision):
        return State.INJECTED, ""
    return State.OUTDATED, f"its sidecar is not what the configuration in force gives (Proa {record.proa} injected it)"


def _is_given(raw: Json, found: str, revision: Revision) -> bool:
    try:
        return found == fingerprint(texts(raw, "metadata", "annotations"), revision.configuration, revision.fingerprint)
    except Invalid:
        # A template that is no longer there.
        return False


def _why_missing(raw: Json, namespace: Namespace, revision: Revision | None) -> str:
    """The most telling evidence: a pod does not say whether a webhook was asked about it."""
    created = text(raw, "metadata", "creationTimestamp")
    if revision is None:
        return "no registration asks for it: its revision is not installed"
    if created < namespace.labelled:
        return "it is older than the label of its namespace"
    if created < revision.since:
        return "it is older than the registration"
    if namespace.labels.get(names.ON_FAILURE) == "open":
        return f"it got in bare while no webhook answered ({names.ON_FAILURE}=open)"
    return "it was let in without its webhook being asked; proa explain tells what would happen now"
