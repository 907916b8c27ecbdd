"""Interception as rules, each with the reason it is there. Pure.

The order and most reasons are Istio's (tools/istio-iptables), proved by its users' applications. Who the proxy is, is
decided once, in a chain of its own, so that user and group mean the same.
"""

from __future__ import annotations

from init.refusals import refusal
from init.values import Value
from proa import names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final, TypeAlias

    from init.interception import Interception

TABLE: Final = "proa"
INBOUND_CAPTURED: Final = "inbound_captured"
OUTBOUND_CAPTURED: Final = "outbound_captured"

_EXCLUDED: Final = "excluded_inbound_ports"
_PROXY: Final = "proxy"
_LONGEST_COMMENT: Final = 127
"""Bytes of a comment in nft, whose buffer of 128 ends in a zero (NFTNL_UDATA_COMMENT_MAXLEN)."""


class Tcp(Value):
    """Any TCP packet."""


class NotTcp(Value):
    """Any other packet."""


class Leaving(Value):
    """By the interface of this name."""

    interface: str


class FromAddress(Value):
    """From this IPv4 or IPv6 address."""

    address: str


class ToOutside(Value):
    """To an address of the network's family that is not in the network."""

    network: str


class ToPortIn(Value):
    """TCP to a port of the set of this name."""

    ports: str


class OfUser(Value):
    """Sent through a socket that was made by this user."""

    uid: int


class OfGroup(Value):
    """Sent through a socket that was made by this group."""

    gid: int


Match: TypeAlias = Tcp | NotTcp | Leaving | FromAddress | ToOutside | ToPortIn | OfUser | OfGroup


class Accept(Value):
    """The packet keeps its destination."""


class Return(Value):
    """The same, for the reader of a chain: nothing further down applies."""


class Goto(Value):
    """The chain of this name decides."""

    chain: str


class Redirect(Value):
    """The packet goes to this local port and is counted; the proxy asks the kernel where it was meant to go."""

    port: int
    counter: str


Verdict: TypeAlias = Accept | Return | Goto | Redirect


class Rule(Value):
    """All of *when* hold: *then*. *why* is printed with the rule by `nft list`: at most 127 bytes, no quotes."""

    when: tuple[Match, ...]
    then: Verdict
    why: str

    def __post_init__(self) -> None:
        if len(self.why.encode()) > _LONGEST_COMMENT or not self.why.isprintable() or '"' in self.why:
            raise refusal("the rule", [("why", self.why, "one line of at most 127 bytes without double quotes")])


class Hook(Value):
    """Where the kernel runs a chain, for the first packet of each connection (chains of type `nat`)."""

    point: str
    priority: int = -100
    """`dstnat`, where destinations are translated: before routing decides for good."""


class Chain(Value):
    """The first rule that matches decides. Without a hook, only Goto leads here."""

    name: str
    hook: Hook | None
    rules: tuple[Rule, ...]


class PortSet(Value):
    """Ports by name, so that a rule's cost does not grow with their number."""

    name: str
    ports: tuple[int, ...]


class Ruleset(Value):
    """One table of family `inet`: the same rules for IPv4 and IPv6."""

    table: str
    sets: tuple[PortSet, ...]
    counters: tuple[str, ...]
    chains: tuple[Chain, ...]


def ruleset(wanted: Interception) -> Ruleset:
    """The table that does what is *wanted*."""
    return Ruleset(
        table=TABLE,
        sets=(PortSet(_EXCLUDED, tuple(sorted(set(wanted.excluded_inbound_ports)))),),
        counters=(INBOUND_CAPTURED, OUTBOUND_CAPTURED),
        chains=(
            Chain("inbound", Hook("prerouting"), inbound_rules(wanted)),
            Chain(_PROXY, None, proxy_rules(wanted)),
            Chain("outbound", Hook("output"), outbound_rules(wanted)),
        ),
    )


def inbound_rules(wanted: Interception) -> tuple[Rule, ...]:
    """What arrives from outside the pod."""
    return (
        Rule((NotTcp(),), Return(), "only TCP is intercepted"),
        Rule((ToPortIn(_EXCLUDED),), Return(), "excluded ports are reached directly"),
        Rule((Tcp(),), Redirect(wanted.inbound_port, INBOUND_CAPTURED), "all other connections to the pod"),
    )


def outbound_rules(wanted: Interception) -> tuple[Rule, ...]:
    """What any process of the pod sends, also to the pod itself."""
    return (
        Rule((NotTcp(),), Return(), "only TCP is intercepted"),
        Rule(
            (Leaving("lo"), FromAddress(names.HAIRPIN_IPV4)),
            Return(),
            "the proxy hands a connection to the application",
        ),
        Rule(
            (Leaving("lo"), FromAddress(names.HAIRPIN_IPV6)),
            Return(),
            "the proxy hands a connection to the application",
        ),
        Rule((OfUser(wanted.proxy_uid),), Goto(_PROXY), "the proxy's own connections, by its user"),
        Rule((OfGroup(wanted.proxy_gid),), Goto(_PROXY), "the proxy's own connections, by its group"),
        Rule((Leaving("lo"),), Return(), "application to application inside the pod"),
        Rule((Tcp(),), Redirect(wanted.outbound_port, OUTBOUND_CAPTURED), "all other connections of the application"),
    )


def proxy_rules(wanted: Interception) -> tuple[Rule, ...]:
    """What the proxy sends. It may have chosen this very pod for a service address: that is an inbound connection."""
    captured = Redirect(wanted.inbound_port, INBOUND_CAPTURED)
    return (
        Rule((Leaving("lo"), ToOutside("127.0.0.0/8"), Tcp()), captured, "the pod calls itself by a service address"),
        Rule((Leaving("lo"), ToOutside("::1"), Tcp()), captured, "the pod calls itself by a service address"),
        Rule((), Accept(), "the proxy is not sent to itself"),
    )
