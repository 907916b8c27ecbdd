"""Connections that show where each setting leads, with what must become of them. Pure.

They leave from inside the pod, to addresses where nobody is (RFC 5737, RFC 3849), to the pod itself and to its name
servers. Nobody outside is there to dial the pod; the proxy's call to the pod takes the same rules.
"""

from __future__ import annotations

from init.fate import Captured, First, Sender, fate
from proa.capture.choices import AllDns, DnsTo
from proa.capture.networks import family_of, first_address
from proa.capture.provers import application_ids, captured_port, proxy_ids
from proa.capture.spans import ALL_PORTS
from proa.capture.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Final

    from init.fate import Fate
    from proa.capture.interception import Interception

NOWHERE: Final = {4: "192.0.2.1", 6: "2001:db8::1"}
_PORT: Final = 80
_SELF: Final = 8080
"""Of the pod, where nothing that others dial is captured."""


class Probe(Value):
    """One connection, or one datagram, and what the settings make of it."""

    name: str
    first: First
    expected: Fate


def probes(wanted: Interception, own: Mapping[int, str]) -> tuple[Probe, ...]:
    """What to try in a pod whose own addresses, by family, are *own*."""
    return tuple(
        Probe(f"{name}, IPv{family}", first, fate(wanted, first))
        for family in own
        for name, first in _firsts(wanted, family, own[family])
    )


def telling(wanted: Interception, own: Mapping[int, str], sender: Sender) -> tuple[Probe, ...]:
    """Of what *sender* may dial one connection a family that the proxy gets by the rules, and nobody without them."""
    return tuple(
        Probe(f"{name}, IPv{family}", first, expected)
        for family in own
        for name, first, expected in _captured(wanted, _own_firsts(wanted, family, own[family], sender))
    )


def _captured(wanted: Interception, firsts: Iterable[tuple[str, First]]) -> Iterator[tuple[str, First, Fate]]:
    """The first of *firsts*, if one is."""
    for name, first in firsts:
        if isinstance(expected := fate(wanted, first), Captured):
            yield name, first, expected
            return


def _own_firsts(wanted: Interception, family: int, own: str, sender: Sender) -> Iterator[tuple[str, First]]:
    """What stays in the pod comes first: where there are no rules, the others leave it."""
    if port := captured_port(wanted):
        yield "a connection to the pod itself", First("tcp", own, own, port, "lo", sender, to_pod=True)
    networks = (first_address(text) for text in wanted.included_outbound_cidrs if family_of(text) == family)
    ports = (_port(wanted), *(first for first, _ in wanted.outbound_ports_anywhere))
    for destination in (NOWHERE[family], *networks):
        for port in ports:
            yield "a connection out", First("tcp", own, destination, port, "eth0", sender)


def _firsts(wanted: Interception, family: int, own: str) -> Iterator[tuple[str, First]]:
    application, proxy = Sender(*application_ids(wanted)), Sender(*proxy_ids(wanted))
    outside = (("a connection out", NOWHERE[family], _port(wanted)), *_excluded(wanted, family))
    for name, destination, port in outside:
        yield name, First("tcp", own, destination, port, "eth0", application)
    yield "the proxy's own connection out", First("tcp", own, NOWHERE[family], _port(wanted), "eth0", proxy)
    inside = captured_port(wanted) or _SELF
    yield "the proxy's connection to the pod", First("tcp", own, own, inside, "lo", proxy, to_pod=True)
    yield "a connection inside the pod", First("tcp", own, own, inside, "lo", application, to_pod=True)
    for server in _servers(wanted, family):
        yield "a question", First("udp", own, server, 53, "eth0", application)
        yield "a question by TCP", First("tcp", own, server, 53, "eth0", application)
        yield "the proxy's own question", First("udp", own, server, 53, "eth0", proxy)
    yield "a datagram out", First("udp", own, NOWHERE[family], 5000, "eth0", application)


def _excluded(wanted: Interception, family: int) -> Iterator[tuple[str, str, int]]:
    networks = [text for text in wanted.excluded_outbound_cidrs if family_of(text) == family]
    for text in networks[:1]:
        if not first_address(text).startswith("127."):
            yield "a connection to an excluded network", first_address(text), _port(wanted)
    for first, _ in wanted.excluded_outbound_ports[:1]:
        yield "a connection to an excluded port", NOWHERE[family], first


def _servers(wanted: Interception, family: int) -> Iterator[str]:
    match wanted.dns:
        case AllDns():
            yield NOWHERE[family]
        case DnsTo(servers):
            outside = (each for each in servers if family_of(each) == family and not each.startswith(("127.", "::1")))
            yield from outside
        case _:
            pass


def _port(wanted: Interception) -> int:
    """One that the settings capture, if there is one."""
    spans = wanted.included_outbound_ports
    return _PORT if spans == ALL_PORTS else spans[0][0] if spans else _PORT
