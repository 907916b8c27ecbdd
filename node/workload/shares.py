"""Whose connections the Workload API holds: a share for each pod, and room on the node that no few of them fill. Pure.

Where the node is full, whoever has most of it makes room for a pod that has less: its youngest connection goes, and its
client dials again.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

Reason: TypeAlias = Literal["PodConnections", "NodeConnections"]


@dataclass(frozen=True, slots=True)
class Bounds:
    """Connections: of one *pod*, and of all that is in no pod; of the *node*; and of those that are *turned* away, for
    as long as that takes."""

    pod: int = 16
    node: int = 256
    turned: int = 32


BOUNDS: Final = Bounds()
"""A connection whose streams hold all that they may takes 0.4 MB, as measured; the agent has 256 for all of it."""


@dataclass(frozen=True, slots=True)
class Admit:
    """*instead* of another one, by its name, where there was no room."""

    instead: str | None = None


@dataclass(frozen=True, slots=True)
class TurnAway:
    """*reason* in CamelCase is for the metric."""

    reason: Reason

    def __str__(self) -> str:
        return "too many connections of this pod" if self.reason == "PodConnections" else "too many on this node"


def admission(present: Mapping[str, str], pod: str, bounds: Bounds) -> Admit | TurnAway:
    """What becomes of one more connection of *pod*. *present* are the pods of those that there are, by the connections'
    names, in the order in which they came."""
    counted = Counter(present.values())
    if counted[pod] >= bounds.pod:
        return TurnAway("PodConnections")
    if len(present) < bounds.node:
        return Admit()
    ((greediest, most),) = counted.most_common(1)
    # With one more alone they would change places for ever.
    if most <= counted[pod] + 1:
        return TurnAway("NodeConnections")
    return Admit([name for name, each in present.items() if each == greediest][-1])
