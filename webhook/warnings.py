"""What whoever creates a pod is told beside the answer: only where the pod does not get what it says. Pure.

Kubernetes asks for less than 120 characters a warning, and may cut at 256.
"""

from collections.abc import Iterator
from typing import Final

from proa.injection import Unusable
from webhook.decision import Decision, Inject, Leave, Subject
from webhook.opting import Wish, namespace_label, wishes
from webhook.podsecurity import rejection
from webhook.sidecar import Sidecar

_IMPOSSIBLE: Final = frozenset({"own_namespace", "system_namespace", "host_network", "windows"})
"""Reasons to leave a pod that nobody's wish could mend."""
_OVERRULING: Final = _IMPOSSIBLE | {"istio_label_overruled", "istio_namespace_disabled"}
"""Reasons to leave a pod that hold whatever the pod asks for."""


def warnings(subject: Subject, decision: Decision, sidecar: Sidecar) -> Iterator[str]:
    """In the order in which to mend it. Everybody who gets what they expect is told nothing."""
    said = tuple(wishes(subject))
    match decision:
        case Leave(reason) if reason.code in _OVERRULING:
            if any(_asks(wish) for wish in said):
                yield f"no sidecar although the pod asks for one: {reason.sentence}"
        case Inject(reason) if reason.code == "enforced_namespace":
            yield from (f"ignored: {wish}: {reason.sentence}" for wish in said if not _asks(wish))
        case _:
            yield from _contradictions(said)
            yield from _unusable(subject, said, decision)
    match decision:
        case Leave(reason) if subject.pod.carries_sidecar and reason.code != "already_injected":
            yield f"the pod keeps the sidecar it came with (`proa uninject` takes it out): {reason.sentence}"
        case _:
            pass
    if isinstance(decision, Inject):
        yield from rejection(subject.namespace, subject.namespace_labels or {}, sidecar)


def _asks(wish: Wish) -> bool:
    return isinstance(wish.value, str) and wish.known.get(wish.value) is True


def _contradictions(said: tuple[Wish, ...]) -> Iterator[str]:
    """Of wishes that can be read, the first is obeyed."""
    usable = [wish for wish in said if wish.problem is None]
    for wish in usable[1:]:
        if _asks(wish) is not _asks(usable[0]):
            yield f"ignored: {wish}: it contradicts {usable[0]}, which wins"


def _unusable(subject: Subject, said: tuple[Wish, ...], decision: Decision) -> Iterator[str]:
    """What was let count as absent, unless it was never read."""
    if subject.configuration.injection.unusable is not Unusable.WARN or decision.reason.code in _IMPOSSIBLE:
        return
    for wish in (*said, *_of_namespace(subject)):
        if wish.problem is not None:
            yield f"ignored: {wish.problem}"


def _of_namespace(subject: Subject) -> Iterator[Wish]:
    wish = None if subject.namespace_labels is None else namespace_label(subject)
    if wish is not None:
        yield wish
