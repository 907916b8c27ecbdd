"""Rules as data: what a packet may be asked, what may become of it, and the chains the kernel asks in. Pure."""

from __future__ import annotations

from init.refusals import refusal
from init.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final, Literal, TypeAlias

    from init.spans import Spans

_LONGEST_COMMENT: Final = 127
"""Bytes of a comment in nft, whose buffer of 128 ends in a zero (NFTNL_UDATA_COMMENT_MAXLEN)."""

Protocol: TypeAlias = "Literal['tcp', 'udp']"


class Of(Value):
    """Any packet of this protocol."""

    protocol: Protocol


class NotTcp(Value):
    """Any packet but TCP's."""


class OfFamily(Value):
    """Of this family, 4 or 6."""

    family: int


class Arriving(Value):
    """By the interface of this name."""

    interface: str


class Leaving(Value):
    """By the interface of this name."""

    interface: str


class ArrivingByOne(Value):
    """By an interface of the set of this name."""

    interfaces: str


class LeavingByOne(Value):
    """By an interface of the set of this name."""

    interfaces: str


class FromNetwork(Value):
    """From this IPv4 or IPv6 address or network."""

    network: str


class ToNetwork(Value):
    """To this IPv4 or IPv6 address or network."""

    network: str


class ToOutside(Value):
    """To an address of the network's family that is not in the network."""

    network: str


class FromOne(Value):
    """From an address of the set of this name, which is of this family."""

    family: int
    networks: str


class ToOne(Value):
    """To an address of the set of this name, which is of this family."""

    family: int
    networks: str


class ToPod(Value):
    """To an address of the pod's own."""


class ToPort(Value):
    """To this port."""

    protocol: Protocol
    port: int


class FromPort(Value):
    """From this port."""

    protocol: Protocol
    port: int


class ToPortIn(Value):
    """To a port of the set of this name."""

    protocol: Protocol
    ports: str


class OfUserIn(Value):
    """Sent through a socket that was made by a user of the set of this name."""

    uids: str


class OfGroupIn(Value):
    """Sent through a socket that was made by a group of the set of this name."""

    gids: str


class Marked(Value):
    """The packet bears this mark."""

    mark: int


class ConnectionMarked(Value):
    """The packet's connection bears this mark."""

    mark: int


class New(Value):
    """The first packet of a connection."""


class Invalid(Value):
    """Conntrack cannot place it."""


class Reply(Value):
    """It goes against the direction in which its connection was made."""


Match: TypeAlias = (
    Of
    | NotTcp
    | OfFamily
    | Arriving
    | Leaving
    | ArrivingByOne
    | LeavingByOne
    | FromNetwork
    | ToNetwork
    | ToOutside
    | FromOne
    | ToOne
    | ToPod
    | ToPort
    | FromPort
    | ToPortIn
    | OfUserIn
    | OfGroupIn
    | Marked
    | ConnectionMarked
    | New
    | Invalid
    | Reply
)


class Return(Value):
    """Nothing further down applies: the packet goes on as it is, and is counted if a counter is named."""

    counter: str = ""


class Goto(Value):
    """The chain of this name decides."""

    chain: str


class Redirect(Value):
    """The packet goes to this local port and is counted; the proxy asks the kernel where it was meant to go."""

    port: int
    counter: str


class Tproxy(Value):
    """The packet goes to the socket at this local port as it is, bears the mark and is counted once a connection."""

    port: int
    mark: int


class Count(Value):
    """The packet is counted, and the next rule asked."""

    counter: str


class Zone(Value):
    """Conntrack keeps the packet's connection apart from those of other zones; nothing further down applies."""

    number: int


class MarkPacket(Value):
    """The packet bears this mark from now on, and is routed by it."""

    mark: int


class MarkConnection(Value):
    """The packet's connection bears this mark from now on; nothing further down applies."""

    mark: int


class Drop(Value):
    """The packet is gone, and counted."""

    counter: str


class Reject(Value):
    """The same, and the sender is told that the port cannot be reached."""

    counter: str


class Log(Value):
    """A line in the kernel's log, at most *rate* of them a second, and the next rule is asked."""

    prefix: str
    rate: int


Verdict: TypeAlias = (
    Return | Goto | Redirect | Tproxy | Count | Zone | MarkPacket | MarkConnection | Drop | Reject | Log
)


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
