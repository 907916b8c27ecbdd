"""Connections that show where each setting leads, with what must become of them. Pure.

They leave from inside the pod, to addresses where nobody is (RFC 5737, RFC 3849), to the pod itself and to its name
servers. Nobody outside is there to dial the pod; the proxy's call to the pod takes the same rules.
"""

from __future__ import annotations

from init.fate import First, Sender, fate
from proa.capture.choices import AllDns, DnsTo
from proa.capture.networks import family_of, first_address
from proa.capture.spans import ALL_PORTS, holds
from proa.capture.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Final

    from init.fate import Fate
    from proa.capture.interception import Interception

NOWHERE: Final = {4: "192.0.2.1", 6: "2001:db8::1"}
_PORT: Final = 80
_OTHERS: Final = (8080, 8443, 9090, 10080, 18080)
_APPLICATION: Final = range(1000, 60000, 1001)


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


def _firsts(wanted: Interception, family: int, own: str) -> Iterator[tuple[str, First]]:
    application, proxy = _application(wanted), _proxy(wanted)
    outside = (("a connection out", NOWHERE[family], _port(wanted)), *_excluded(wanted, family))
    for name, destination, port in outside:
        yield name, First("tcp", own, destination, port, "eth0", application)
    yield "the proxy's own connection out", First("tcp", own, NOWHERE[family], _port(wanted), "eth0", proxy)
    inside = _inbound_port(wanted)
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


def _application(wanted: Interception) -> Sender:
    """Some user and group that are neither the proxy's nor excluded."""
    taken = (*wanted.proxy_uids, *(span for users in wanted.excluded_users for span in users.uids))
    barred = (*wanted.proxy_gids, *wanted.excluded_gids)
    uid = next((each for each in _APPLICATION if not holds(taken, each)), 0)
    named = (first for first, _ in wanted.included_gids)
    gids = (each for each in (*_APPLICATION, *named) if holds(wanted.included_gids, each) and not holds(barred, each))
    return Sender(uid, next(gids, 0))


def _proxy(wanted: Interception) -> Sender:
    uid = wanted.proxy_uids[0][0] if wanted.proxy_uids else _application(wanted).uid
    return Sender(uid, wanted.proxy_gids[0][0] if wanted.proxy_gids else _application(wanted).gid)


def _port(wanted: Interception) -> int:
    """One that the settings capture, if there is one."""
    spans = wanted.included_outbound_ports
    return _PORT if spans == ALL_PORTS else spans[0][0] if spans else _PORT


def _inbound_port(wanted: Interception) -> int:
    direct = wanted.excluded_inbound_ports + wanted.tunnel_ports
    listed = () if wanted.included_inbound_ports == ALL_PORTS else (first for first, _ in wanted.included_inbound_ports)
    return next((each for each in (*listed, *_OTHERS) if not holds(direct, each)), _OTHERS[0])
