"""Whether what was applied has come up, and what it still waits for. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from installation.deployments import Deployment
from installation.rehearsal import Bare, Injected, Rehearsal, Rejected
from installation.state import SHARED
from installation.survey import Entry, Part, Unread
from installation.trees import text
from proa import names
from proa.json import Json

_RUNNING: Final = ("Deployment", "DaemonSet")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to come up: Deployments, and the node agent's DaemonSet; a registration that the API server trusts; and
    pods that are injected in the namespace *stage*, if there is one to try it in.
    """

    deployments: frozenset[str]
    registration: str
    stage: Part[str]


def wanted(objects: Iterable[Json], stage: Part[str]) -> Wanted:
    """What applying *objects* starts; they hold one registration."""
    named = [(text(each, "kind"), text(each, "metadata", "name")) for each in objects]
    return Wanted(
        deployments=frozenset(name for kind, name in named if kind in _RUNNING),
        registration=next((name for kind, name in named if kind == "MutatingWebhookConfiguration"), names.WEBHOOK),
        stage=stage,
    )


def outstanding(
    awaited: frozenset[str], deployments: tuple[Deployment, ...], registration: tuple[Entry, ...]
) -> tuple[str, ...]:
    """What keeps an installation whose Deployments are *awaited* from being ready, a line each; nothing: it is.

    What all revisions share is waited for as well where it is there: who makes one of them anew may be somebody else.
    """
    return tuple(_outstanding(awaited, deployments, registration))


def _outstanding(
    awaited: frozenset[str], deployments: tuple[Deployment, ...], registration: tuple[Entry, ...]
) -> Iterator[str]:
    found = {each.name: each for each in deployments}
    for name in sorted(awaited | (SHARED & found.keys())):
        if name not in found:
            yield f"{name}: not there yet"
        elif not found[name].ready:
            each = found[name]
            yield f"{name}: {each.standing}"
            yield from (f"  {reason}" for reason in each.waiting)
    if not registration:
        yield "the registration is not there yet"
    elif not all(each.trusted for each in registration):
        yield "the registration has no caBundle yet"


def unproved(rehearsal: Part[Rehearsal]) -> tuple[str, ...]:
    """What keeps pods from being injected although all is there: kube-proxy follows a moment after the pods."""
    match rehearsal:
        case Bare():
            return ("a pod that asks for a sidecar gets none yet",)
        case Rejected(message):
            return (f"a pod that asks for a sidecar is refused: {message}",)
        case Injected() | Unread():
            return ()
