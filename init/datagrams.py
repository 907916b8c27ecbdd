"""The rules for datagrams: questions kept apart in conntrack, and what becomes of those no proxy takes. Pure."""

from __future__ import annotations

from init.common_rules import (
    ANSWERED,
    DNS,
    PROTOCOLS,
    arriving_by_excluded,
    excluded_destinations,
    excluded_outbound_ports,
    excluded_senders,
    leaving_by_excluded,
    logged,
    proxy_matches,
    questions,
    uncaptured_families,
)
from init.counters import FAMILY_DROPPED, UDP_DROPPED
from init.matches import (
    ArrivingByOne,
    FromOne,
    FromPort,
    Leaving,
    New,
    NotUdp,
    Of,
    OfFamily,
    OfGroupIn,
    OfUserIn,
    ToNetwork,
    ToPort,
)
from init.ruleset import Rule
from init.verdicts import Drop, Reject, Return, Zone
from proa.capture.choices import AllDns, DnsTo
from proa.capture.networks import family_of
from proa.capture.spans import holds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Final

    from init.matches import Match
    from proa.capture.interception import Interception

_UPSTREAM: Final = Zone(1)
_CAPTURED: Final = Zone(2)
_QUIC: Final = 443
_NO_DATAGRAM: Final = Rule((NotUdp(),), Return(), "only questions by UDP need a zone of conntrack")


def zone_out_rules(wanted: Interception) -> Iterator[Rule]:
    """Questions that leave. Conntrack gives one answer for one pair of addresses and ports, whoever asked first: the
    application's question, which goes to the proxy, and the proxy's own may have the same ones.
    """
    captured = tuple(questions(wanted, "udp"))
    if not captured:
        return
    yield _NO_DATAGRAM
    yield from leaving_by_excluded(wanted)
    yield from uncaptured_families(wanted)
    for match in _upstream_askers(wanted):
        yield Rule((match, ToPort("udp", DNS)), _UPSTREAM, "questions that really leave")
    yield Rule((FromPort("udp", wanted.dns_port),), _CAPTURED, "the proxy's answers, whoever made its socket")
    for question in captured:
        yield Rule(question, _CAPTURED, "questions that the proxy answers")


def zone_in_rules(wanted: Interception) -> Iterator[Rule]:
    """Answers to the questions that really left."""
    answer, why = FromPort("udp", DNS), "answers to questions that really left"
    sources: tuple[tuple[Match, ...], ...] = ()
    match wanted.dns:
        case AllDns():
            sources = ((),)
        case DnsTo(servers):
            sources = tuple((FromOne(family, f"dns_servers_{family}"),) for family in sorted(map(family_of, servers)))
        case _:
            return
    yield _NO_DATAGRAM
    yield from arriving_by_excluded(wanted)
    yield from uncaptured_families(wanted)
    if wanted.virtual_interfaces:
        for question in questions(wanted, "udp"):
            from_inside = (ArrivingByOne("virtual_interfaces"), *question)
            yield Rule(from_inside, _CAPTURED, "questions that the proxy answers")
    for source in dict.fromkeys(sources):
        yield Rule((*source, answer), _UPSTREAM, why)


def leaving_rules(wanted: Interception) -> Iterator[Rule]:
    """What leaves the pod past the proxy though it is the application's, after destinations were changed."""
    verdicts = (*_family_drops(wanted), *_datagram_rules(wanted))
    if not verdicts:
        return
    yield ANSWERED
    yield from leaving_by_excluded(wanted)
    yield Rule((Leaving("lo"),), Return(), "inside the pod")
    for network in ("127.0.0.0/8", "::1"):
        yield Rule((ToNetwork(network),), Return(), "captured already")
    yield from (Rule((match,), Return(), why) for match, why in proxy_matches(wanted))
    yield from excluded_senders(wanted, "")
    yield from excluded_outbound_ports(wanted, "")
    yield from excluded_destinations(wanted, "")
    yield from verdicts


def _upstream_askers(wanted: Interception) -> Iterator[Match]:
    """Whose questions go where they are sent."""
    yield from (match for match, _ in proxy_matches(wanted))
    for number, users in enumerate(wanted.excluded_users):
        if holds(users.ports, DNS):
            yield OfUserIn(f"excluded_uids_{number}")
    if wanted.excluded_gids:
        yield OfGroupIn("excluded_gids")


def _family_drops(wanted: Interception) -> Iterator[Rule]:
    for family, policy in ((4, wanted.ipv4), (6, wanted.ipv6)):
        for protocol in PROTOCOLS if policy == "drop" else ():
            match = (OfFamily(family), New(), Of(protocol))
            yield from logged(wanted, Rule(match, Drop(FAMILY_DROPPED), f"IPv{family} does not pass by the proxy"))


def _datagram_rules(wanted: Interception) -> Iterator[Rule]:
    for policy, match, why in (
        (wanted.quic, ToPort("udp", _QUIC), "without QUIC, clients fall back to TCP, which is intercepted"),
        (wanted.udp, Of("udp"), "no proxy takes datagrams"),
    ):
        if policy == "bypass":
            continue
        if match == Of("udp"):
            yield Rule((ToPort("udp", DNS),), Return(), "names have to be found")
        verdict = Reject(UDP_DROPPED) if policy == "reject" else Drop(UDP_DROPPED)
        yield from logged(wanted, Rule((match, New()), verdict, why))
