"""Rules as data, and the chains and sets the kernel keeps them in. Pure."""

from __future__ import annotations

from proa.capture.refusals import refusal
from proa.capture.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final, Literal, TypeAlias

    from init.matches import Match
    from init.verdicts import Verdict
    from proa.capture.spans import Spans

_LONGEST_COMMENT: Final = 127
"""Bytes of a comment in nft, whose buffer of 128 ends in a zero (NFTNL_UDATA_COMMENT_MAXLEN)."""


class Rule(Value):
    """All of *when* hold: *then*. *why* is printed with the rule by `nft list`: at most 127 bytes, no quotes."""

    when: tuple[Match, ...]
    then: Verdict
    why: str

    def __post_init__(self) -> None:
        if len(self.why.encode()) > _LONGEST_COMMENT or not self.why.isprintable() or '"' in self.why:
            raise refusal("the rule", [("why", self.why, "one line of at most 127 bytes without double quotes")])


class Hook(Value):
    """Where and when the kernel runs a chain: `nat` for the first packet of a connection, the others for each packet.

    A `route` chain that changes a packet's mark has it routed anew.
    """

    kind: Literal["nat", "filter", "route"]
    point: Literal["prerouting", "output"]
    priority: int


class Chain(Value):
    """The first rule that matches decides. Without a hook, only Goto leads here."""

    name: str
    hook: Hook | None
    rules: tuple[Rule, ...]


class PortSet(Value):
    """Ports by name, so that a rule's cost does not grow with their number."""

    name: str
    spans: Spans


class UserSet(Value):
    """Users by name."""

    name: str
    spans: Spans


class GroupSet(Value):
    """Groups by name."""

    name: str
    spans: Spans


class NetworkSet(Value):
    """Networks of one family by name, none within another."""

    name: str
    family: int
    networks: tuple[str, ...]


class InterfaceSet(Value):
    """Interfaces by name."""

    name: str
    interfaces: tuple[str, ...]


NamedSet: TypeAlias = PortSet | UserSet | GroupSet | NetworkSet | InterfaceSet


class Ruleset(Value):
    """One table of family `inet`: the same rules for IPv4 and IPv6. A chain stands before those that go to it."""

    table: str
    sets: tuple[NamedSet, ...]
    counters: tuple[str, ...]
    chains: tuple[Chain, ...]
