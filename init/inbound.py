"""The rules for what arrives in the pod. Pure."""

from __future__ import annotations

from init.common_rules import ANSWERED, PROTOCOLS, arriving_by_excluded, logged, question_rules, uncaptured_families
from init.counters import FAMILY_DROPPED, INBOUND_CAPTURED, INBOUND_EXCLUDED, INVALID_DROPPED
from init.matches import (
    Arriving,
    ArrivingByOne,
    ConnectionMarked,
    Invalid,
    Marked,
    New,
    NotTcp,
    Of,
    OfFamily,
    Reply,
    ToPod,
    ToPortIn,
)
from init.ruleset import Rule
from init.verdicts import Count, Drop, Goto, MarkConnection, MarkPacket, Redirect, Return, Tproxy
from proa.capture.choices import Tproxied
from proa.capture.spans import ALL_PORTS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from init.matches import Match, Protocol
    from proa.capture.interception import Interception


def inbound_rules(wanted: Interception) -> Iterator[Rule]:
    """The first packet of a connection from outside the pod."""
    redirected = not isinstance(wanted.inbound_mode, Tproxied)
    if not redirected and not wanted.virtual_interfaces:
        return
    yield from arriving_by_excluded(wanted)
    yield from uncaptured_families(wanted)
    if wanted.virtual_interfaces:
        virtual = (ArrivingByOne("virtual_interfaces"),)
        yield Rule(virtual, Goto("virtual"), "machines behind a virtual interface dial like the application")
    if redirected:
        yield Rule((NotTcp(),), Return(), "only TCP is intercepted")
        yield Rule((), Goto("inbound_ports"), "connections to the pod")


def inbound_port_rules(wanted: Interception) -> Iterator[Rule]:
    """A connection to the pod, by its port."""
    yield from _direct_ports(wanted, "tcp", INBOUND_EXCLUDED)
    for match in _included_ports(wanted):
        captured = Redirect(wanted.inbound_port, INBOUND_CAPTURED)
        yield from logged(wanted, Rule((*match, Of("tcp")), captured, "all other connections to the pod"))
    if wanted.included_inbound_ports != ALL_PORTS:
        yield Rule((), Return(INBOUND_EXCLUDED), "ports that are not included are reached directly")


def virtual_rules(wanted: Interception) -> Iterator[Rule]:
    """What a machine or container behind the pod's own bridge dials."""
    yield from question_rules(wanted)
    yield Rule((NotTcp(),), Return(), "of all but questions, only TCP is intercepted")
    yield Rule((ToPod(),), Return(), "a machine inside the pod dials the pod")
    yield Rule((), Goto("destinations"), "all else is as the application's")


def arriving_rules(wanted: Interception) -> Iterator[Rule]:
    """Each packet that arrives, also by lo."""
    drops = tuple(_family_drops(wanted))
    captures = tuple(_tproxy_rules(wanted, wanted.inbound_mode)) if isinstance(wanted.inbound_mode, Tproxied) else ()
    if not (drops or captures or wanted.drop_invalid):
        return
    yield from arriving_by_excluded(wanted)
    if wanted.drop_invalid:
        dropped = Rule((Invalid(),), Drop(INVALID_DROPPED), "the application would reset a connection it does not know")
        yield from logged(wanted, dropped)
    if not captures:
        yield ANSWERED
    if isinstance(wanted.inbound_mode, Tproxied):
        from_proxy = (Arriving("lo"), Marked(wanted.inbound_mode.mark))
        yield Rule(from_proxy, MarkConnection(wanted.inbound_mode.mark), "the proxy speaks from its client's address")
    yield Rule((Arriving("lo"),), Return(), "inside the pod")
    yield from drops
    yield from captures


def answer_rules(mode: Tproxied) -> Iterator[Rule]:
    """Each packet that leaves, where the proxy may speak to the application from its client's address."""
    answers = (ConnectionMarked(mode.mark), Reply())
    yield Rule(answers, MarkPacket(mode.mark), "the application's answer to a client goes to the proxy")


def _family_drops(wanted: Interception) -> Iterator[Rule]:
    families = [family for family, policy in ((4, wanted.ipv4), (6, wanted.ipv6)) if policy == "drop"]
    for protocol in PROTOCOLS if families else ():
        yield from _direct_ports(wanted, protocol, "")
        for family in families:
            dropped = Drop(FAMILY_DROPPED)
            match = (OfFamily(family), New(), Of(protocol))
            yield from logged(wanted, Rule(match, dropped, f"IPv{family} does not pass by the proxy"))


def _tproxy_rules(wanted: Interception, mode: Tproxied) -> Iterator[Rule]:
    yield Rule((NotTcp(),), Return(), "only TCP is intercepted")
    yield Rule((Reply(),), Return(), "answers to what the pod dialled")
    yield from uncaptured_families(wanted)
    if wanted.virtual_interfaces:
        yield Rule((ArrivingByOne("virtual_interfaces"),), Return(), "what machines inside the pod dial is outbound")
    yield from _direct_ports(wanted, "tcp", "")
    for match in _included_ports(wanted):
        yield from logged(wanted, Rule((*match, New(), Of("tcp")), Count(INBOUND_CAPTURED), "one for each connection"))
        captured = Tproxy(wanted.inbound_port, mode.mark)
        yield Rule((*match, Of("tcp")), captured, "all other connections to the pod, with their addresses")


def _direct_ports(wanted: Interception, protocol: Protocol, counter: str) -> Iterator[Rule]:
    if wanted.tunnel_ports:
        match = ToPortIn(protocol, "tunnel_ports")
        yield Rule((match,), Return(counter), "tunnels are dialled at the proxy's own port")
    if wanted.excluded_inbound_ports:
        match = ToPortIn(protocol, "excluded_inbound_ports")
        yield Rule((match,), Return(counter), "excluded ports are reached directly")


def _included_ports(wanted: Interception) -> Iterator[tuple[Match, ...]]:
    """What holds of connections to included ports; none if there are no such ports."""
    if wanted.included_inbound_ports == ALL_PORTS:
        yield ()
    elif wanted.included_inbound_ports:
        yield (ToPortIn("tcp", "included_inbound_ports"),)
