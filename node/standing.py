"""How a node's pods stand: programmed, repaired, waiting, not as they should be; and what follows from it. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from kube.occurrences import Severity
from node.pods import Pod

Wish: TypeAlias = Literal["report", "delete"]
"""What becomes of a pod that cannot be programmed where it is."""
PATIENCE: Final = 3
"""Failures after which people are told, and the pod is deleted where that is wished. One may be of a pod that ends."""


@dataclass(frozen=True, slots=True)
class Programmed:
    """The rules are in its namespace: by its own start, or found there."""


@dataclass(frozen=True, slots=True)
class Repaired:
    """It had started without rules; they were put in afterwards."""


@dataclass(frozen=True, slots=True)
class Differing:
    """It has rules of ours, and not these: nobody's to mend, as they may be the older or the newer ones."""

    differences: str


@dataclass(frozen=True, slots=True)
class Bare:
    """It has none, and they could not be put in, *failures* times so far."""

    reason: str
    failures: int


Standing: TypeAlias = Programmed | Repaired | Differing | Bare
WAITING: Final = "waiting"
"""For its network: no process of it is found."""
_NAMES: Final[dict[type[Standing], str]] = {
    Programmed: "programmed",
    Repaired: "repaired",
    Differing: "differing",
    Bare: "bare",
}
NAMES: Final = (*_NAMES.values(), WAITING)


@dataclass(frozen=True, slots=True)
class Word:
    """For people: an Event's reason, text and severity."""

    reason: str
    message: str
    severity: Severity


def ours(pods: Iterable[Pod]) -> tuple[Pod, ...]:
    """Those that are to be intercepted, as long as they run."""
    return tuple(each for each in pods if each.wanted is not None and not each.over)


def unsettled(pods: Iterable[Pod], standings: Mapping[str, Standing]) -> tuple[Pod, ...]:
    """Those to look at, now or again: by the UIDs of *standings*."""
    return tuple(each for each in ours(pods) if isinstance(standings.get(each.uid), Bare | None))


def bare(before: Standing | None, reason: str) -> Bare:
    """After one more failure."""
    return Bare(reason, before.failures + 1 if isinstance(before, Bare) else 1)


def remaining(standings: Mapping[str, Standing], pods: Iterable[Pod]) -> dict[str, Standing]:
    """Without those of pods that are gone."""
    present = {each.uid for each in pods}
    return {uid: standing for uid, standing in standings.items() if uid in present}


def counts(pods: Iterable[Pod], standings: Mapping[str, Standing]) -> Mapping[str, int]:
    """How many pods stand how, by NAMES."""
    found = (standings.get(each.uid) for each in ours(pods))
    return Counter(WAITING if each is None else _NAMES[type(each)] for each in found)


def word(now: Standing) -> Word | None:
    """What people are told of a new standing; nothing of what goes well by itself, and nothing twice."""
    match now:
        case Programmed():
            return None
        case Repaired():
            return Word("InterceptionRepaired", "the pod had started without interception; it has it now", "Normal")
        case Differing(differences):
            return Word("InterceptionDiffers", f"the pod's rules are not what was asked for: {differences}", "Warning")
        case Bare(reason, failures):
            told = Word("NotIntercepted", f"the pod runs without interception: {reason}", "Warning")
            return told if failures == PATIENCE else None


def to_be_deleted(standing: Standing, wish: Wish) -> bool:
    return wish == "delete" and isinstance(standing, Bare) and standing.failures >= PATIENCE
