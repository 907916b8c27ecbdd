"""The rules for what processes of the pod dial. Pure."""

from __future__ import annotations

from init.common_rules import (
    DNS,
    excluded_destinations,
    excluded_outbound_ports,
    excluded_senders,
    leaving_by_excluded,
    logged,
    proxy_matches,
    question_rules,
    uncaptured_families,
)
from init.counters import OUTBOUND_CAPTURED, OUTBOUND_EXCLUDED
from init.matches import FromNetwork, Leaving, Marked, NotTcp, Of, OfGroupIn, ToOne, ToOutside, ToPort, ToPortIn
from init.ruleset import Rule
from init.verdicts import Goto, Redirect, Return
from proa import names
from proa.capture.choices import NoDns, Tproxied
from proa.capture.networks import EVERYWHERE, family_of, overlaps
from proa.capture.spans import ALL_IDS, ALL_PORTS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from init.matches import Match
    from proa.capture.interception import Interception


def outbound_rules(wanted: Interception) -> Iterator[Rule]:
    """What any process of the pod sends, also to the pod itself: who sends it."""
    yield from leaving_by_excluded(wanted)
    yield from uncaptured_families(wanted)
    if isinstance(wanted.dns, NoDns):
        yield Rule((NotTcp(),), Return(), "only TCP is intercepted")
    for source in (names.HAIRPIN_IPV4, names.HAIRPIN_IPV6):
        yield Rule((Leaving("lo"), FromNetwork(source)), Return(), "the proxy hands a connection to the application")
    if isinstance(wanted.inbound_mode, Tproxied):
        marked = (Leaving("lo"), Marked(wanted.inbound_mode.mark))
        yield Rule(marked, Return(), "the proxy hands a connection on from its client's address")
    for match, why in proxy_matches(wanted):
        yield Rule((match,), Goto("proxy"), why)
    yield from excluded_senders(wanted)
    if wanted.included_gids == ALL_IDS:
        yield Rule((), Goto("destinations"), "all else is the application's")
    else:
        yield Rule((OfGroupIn("included_gids"),), Goto("destinations"), "the groups whose connections are captured")
        yield Rule((), Return(OUTBOUND_EXCLUDED), "other groups are left alone")


def proxy_rules(wanted: Interception) -> Iterator[Rule]:
    """What the proxy sends. It may have chosen this very pod for a service address: that is an inbound connection."""
    if not isinstance(wanted.dns, NoDns):
        yield Rule((ToPort("tcp", DNS),), Return(), "the proxy asks its own name server")
    for network in (wanted.loopback, "::1"):
        to_pod = (Leaving("lo"), ToOutside(network), Of("tcp"))
        yield Rule(to_pod, Goto("inbound_ports"), "the pod calls itself by a service address")
    yield Rule((), Return(), "the proxy is not sent to itself")


def destination_rules(wanted: Interception) -> Iterator[Rule]:
    """Where the application's connections go, or those of a machine behind a virtual interface."""
    yield from excluded_outbound_ports(wanted)
    yield from question_rules(wanted)
    if not isinstance(wanted.dns, NoDns):
        yield Rule((NotTcp(),), Return(), "of all but questions, only TCP is intercepted")
    yield from excluded_destinations(wanted)
    for match in _included_networks(wanted):
        if match and any(overlaps(text, inside) for text in _explicit(wanted) for inside in ("127.0.0.0/8", "::1")):
            yield from _captured(wanted, (Leaving("lo"), *match), "included networks, of loopback, too")
    yield Rule((Leaving("lo"),), Return(), "application to application inside the pod")
    if wanted.outbound_ports_anywhere:
        anywhere = ToPortIn("tcp", "outbound_ports_anywhere")
        yield from _capture(wanted, (anywhere,), "ports that are captured at any address")
    for match in _included_networks(wanted):
        why = "all other connections of the application" if not match else "included networks"
        yield from _captured(wanted, match, why)
    if _leaves_some(wanted):
        yield Rule((), Return(OUTBOUND_EXCLUDED), "neither included nor excluded: dialled directly")


def _included_networks(wanted: Interception) -> Iterator[tuple[Match, ...]]:
    if not set(EVERYWHERE) - set(wanted.included_outbound_cidrs):
        yield ()
        return
    families = {family_of(text) for text in wanted.included_outbound_cidrs}
    yield from ((ToOne(family, f"included_cidrs_{family}"),) for family in (4, 6) if family in families)


def _explicit(wanted: Interception) -> tuple[str, ...]:
    """The included networks that are not simply all: only by name is loopback meant."""
    return tuple(text for text in wanted.included_outbound_cidrs if text not in EVERYWHERE)


def _captured(wanted: Interception, match: tuple[Match, ...], why: str) -> Iterator[Rule]:
    """Connections that *match*, as far as they are to included ports."""
    ports = () if wanted.included_outbound_ports == ALL_PORTS else (ToPortIn("tcp", "included_outbound_ports"),)
    yield from _capture(wanted, (*match, *ports), why)


def _capture(wanted: Interception, match: tuple[Match, ...], why: str) -> Iterator[Rule]:
    yield from logged(wanted, Rule((*match, Of("tcp")), Redirect(wanted.outbound_port, OUTBOUND_CAPTURED), why))


def _leaves_some(wanted: Interception) -> bool:
    return wanted.included_outbound_ports != ALL_PORTS or bool(set(EVERYWHERE) - set(wanted.included_outbound_cidrs))
