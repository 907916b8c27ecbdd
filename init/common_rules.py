"""Rules that stand in several chains. Pure."""

from __future__ import annotations

from init.counters import DNS_CAPTURED, OUTBOUND_EXCLUDED
from init.matches import (
    ArrivingByOne,
    Established,
    LeavingByOne,
    OfFamily,
    OfGroupIn,
    OfUserIn,
    ToOne,
    ToPort,
    ToPortIn,
)
from init.ruleset import Rule
from init.verdicts import Log, Redirect, Return
from proa.capture.choices import AllDns, DnsTo, NoDns
from proa.capture.networks import family_of
from proa.capture.spans import ALL_PORTS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Final

    from init.matches import Match, Protocol
    from proa.capture.interception import Interception

DNS: Final = 53
ANSWERED: Final = Rule((Established(),), Return(), "the first packet decided, and was let by")
"""Before rules about first packets, in a chain that every packet meets."""
PROTOCOLS: Final[tuple[Protocol, ...]] = ("tcp", "udp")


def arriving_by_excluded(wanted: Interception) -> Iterator[Rule]:
    if wanted.excluded_interfaces:
        yield Rule((ArrivingByOne("excluded_interfaces"),), Return(), "excluded interfaces are left alone")


def leaving_by_excluded(wanted: Interception) -> Iterator[Rule]:
    if wanted.excluded_interfaces:
        yield Rule((LeavingByOne("excluded_interfaces"),), Return(), "excluded interfaces are left alone")


def uncaptured_families(wanted: Interception) -> Iterator[Rule]:
    """Also those that are dropped: another chain does that."""
    for family, policy in ((4, wanted.ipv4), (6, wanted.ipv6)):
        if policy != "capture":
            yield Rule((OfFamily(family),), Return(), f"IPv{family} is not intercepted")


def proxy_matches(wanted: Interception) -> Iterator[tuple[Match, str]]:
    """Each way to tell the proxy, with its words."""
    if wanted.proxy_uids:
        yield OfUserIn("proxy_uids"), "the proxy's own connections, by its user"
    if wanted.proxy_gids:
        yield OfGroupIn("proxy_gids"), "the proxy's own connections, by its group"


def excluded_senders(wanted: Interception, counter: str = OUTBOUND_EXCLUDED) -> Iterator[Rule]:
    for number, users in enumerate(wanted.excluded_users):
        user, why = OfUserIn(f"excluded_uids_{number}"), "what excluded users dial is left alone"
        if users.ports == ALL_PORTS:
            yield Rule((user,), Return(counter), why)
        else:
            for protocol in PROTOCOLS:
                yield Rule((user, ToPortIn(protocol, f"excluded_uids_{number}_ports")), Return(counter), why)
    if wanted.excluded_gids:
        yield Rule((OfGroupIn("excluded_gids"),), Return(counter), "what excluded groups dial is left alone")


def excluded_destinations(wanted: Interception, counter: str = OUTBOUND_EXCLUDED) -> Iterator[Rule]:
    for family in _families(wanted.excluded_outbound_cidrs):
        match = ToOne(family, f"excluded_cidrs_{family}")
        yield Rule((match,), Return(counter), "excluded networks are dialled directly")


def excluded_outbound_ports(wanted: Interception, counter: str = OUTBOUND_EXCLUDED) -> Iterator[Rule]:
    if wanted.excluded_outbound_ports:
        for protocol in PROTOCOLS:
            match = ToPortIn(protocol, "excluded_outbound_ports")
            yield Rule((match,), Return(counter), "excluded ports are dialled directly")


def question_rules(wanted: Interception) -> Iterator[Rule]:
    """The proxy answers what is asked of the Domain Name System."""
    for protocol in PROTOCOLS if not isinstance(wanted.dns, NoDns) else ():
        captured = Redirect(wanted.dns_port, DNS_CAPTURED)
        for match in questions(wanted, protocol):
            yield from logged(wanted, Rule(match, captured, "the proxy answers for name servers"))


def questions(wanted: Interception, protocol: Protocol) -> Iterator[tuple[Match, ...]]:
    """What a captured question looks like."""
    match wanted.dns:
        case AllDns():
            yield (ToPort(protocol, DNS),)
        case DnsTo(servers):
            for family in _families(servers):
                yield ToOne(family, f"dns_servers_{family}"), ToPort(protocol, DNS)
        case _:
            pass


def logged(wanted: Interception, rule: Rule) -> Iterator[Rule]:
    """*rule*, and before it a line in the log, if lines are wanted."""
    if wanted.log_rate:
        prefix = f"proa {vars(rule.then)['counter']} "
        yield Rule(rule.when, Log(prefix, wanted.log_rate), "said in the log of the node's kernel")
    yield rule


def _families(cidrs: tuple[str, ...]) -> Iterator[int]:
    families = {family_of(text) for text in cidrs}
    yield from (family for family in (4, 6) if family in families)
