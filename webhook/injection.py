"""A pod's injection: decided, planned, and redone where it comes injected. What server and `proa inject` call. Pure."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Final, assert_never

from msgspec import UNSET

from proa import names
from proa.errors import Invalid, Refused
from proa.json import Json
from proa.trees import same
from webhook.decision import Decision, Inject, Leave, Subject, decision
from webhook.decoding import converted
from webhook.difference import Difference
from webhook.operations import Operation
from webhook.planning import Planned, planned
from webhook.pod import Pod
from webhook.reach import reachable
from webhook.reinjection import Undone, reinjection
from webhook.sidecar import Sidecar
from webhook.status import Status, owned, recorded
from webhook.uninjection import undoing
from webhook.verdicts import Reason
from webhook.warnings import warnings

ALREADY_INJECTED: Final = Reason(
    "already_injected",
    f"the pod carries the annotation {names.STATUS} and a sidecar that is just what it would be given now",
)
INJECTED_AGAIN: Final = Reason(
    "injected_again",
    "the pod came with a sidecar that is not, or no longer, what it is to have: it was taken out and added anew",
)


class Origin(Enum):
    """Where a pod comes from, and so whose word its record is."""

    API_SERVER = auto()
    """Its author may have written the record, and other webhooks something else into the pod since."""
    FILE = auto()
    """All of it is the user's."""


@dataclass(frozen=True, slots=True)
class Injection:
    """What was decided, the operations it takes, none where the pod is left, and what its user should know.

    *given* is the sidecar that the pod gets; the ordinary one, where it gets none.
    """

    decision: Decision
    operations: tuple[Operation, ...]
    given: Sidecar
    warnings: tuple[str, ...] = ()


def injection(
    subject: Subject, ordinary: Sidecar, source: Callable[[], Json], origin: Origin = Origin.API_SERVER
) -> Injection:
    """What is to happen to the pod; *ordinary* is what its configuration gives a pod that asks for nothing.

    *source* has all of the pod: it is asked where more of it is changed than is read here.

    Raises Refused with everything in the pod that a sidecar would collide with or cannot be, Invalid for a record of
    an injection that cannot be read, and what `decision` raises.
    """
    try:
        found = _injection(subject, ordinary, source, origin)
    except (RecursionError, OverflowError) as error:
        raise Invalid("spec", f"what cannot be written again ({error})", "what Kubernetes' own types hold") from error
    told = tuple(warnings(subject, found.decision, found.given))
    return replace(found, warnings=(*told, *found.warnings)) if told else found


def _injection(subject: Subject, ordinary: Sidecar, source: Callable[[], Json], origin: Origin) -> Injection:
    """With what the plan warns of."""
    decided = decision(subject)
    match decided:
        case Leave():
            return Injection(decided, (), ordinary)
        case Inject() if (status := subject.pod.annotations.status) is not UNSET:
            return _again(_Anew(subject, ordinary, source(), origin), recorded(status))
        case Inject():
            found = planned(subject, ordinary, source)
            return Injection(decided, found.operations, found.given, found.warnings)
        case _:
            assert_never(decided)


@dataclass(frozen=True, slots=True)
class _Anew:
    """A pod that *came* injected."""

    subject: Subject
    ordinary: Sidecar
    came: Json
    origin: Origin


def _again(anew: _Anew, record: Status) -> Injection:
    """What it takes for the pod that came to have its sidecar as if it had never had another."""
    undone, plan = _redone(anew, record)
    operations = reinjection(undone, plan)
    if not operations:
        # Whoever made the pod was told the first time.
        return Injection(Leave(ALREADY_INJECTED), (), plan.given)
    return Injection(Inject(INJECTED_AGAIN), operations, plan.given, plan.warnings)


def _redone(anew: _Anew, record: Status) -> tuple[Undone, Planned]:
    """The record says what templates changed, and nobody knows who wrote it. What they change now, all over again, is
    proof enough; of anything else only that is believed which templates of the configuration could have changed.
    """
    if anew.origin is Origin.FILE:
        return _undone_and_planned(anew, record)
    believed = owned(record)
    if not record.changed:
        return _undone_and_planned(anew, believed)
    again: Difference = {}
    try:
        undone, plan = _undone_and_planned(anew, believed)
        again = plan.given.status.changed
        if same(again, record.changed):
            return undone, plan
    except (Invalid, Refused):
        # Of a record that somebody made up; if not, the same is found again.
        pass
    return _undone_and_planned(anew, reachable(believed, anew.subject.configuration, again))


def _undone_and_planned(anew: _Anew, record: Status) -> tuple[Undone, Planned]:
    undone = undoing(anew.came, record)
    before = replace(anew.subject, pod=converted(undone.pod, Pod, ""))
    return Undone(anew.came, record, undone), planned(before, anew.ordinary, lambda: undone.pod)
