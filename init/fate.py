"""What becomes of a connection's first packet, decided from the interception alone: what the rules have to do. Pure.

It does not know the rules. Tests hold the two against each other, and the kernel against both.
"""

from __future__ import annotations

from proa import names
from proa.capture.choices import AllDns, DnsTo, NoDns, Tproxied
from proa.capture.networks import EVERYWHERE, family_of, overlaps, within
from proa.capture.spans import holds
from proa.capture.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final, Literal, TypeAlias

    from proa.capture.choices import FamilyPolicy
    from proa.capture.interception import Interception

_DNS: Final = 53
_QUIC: Final = 443


class Sender(Value):
    """A process of the pod, by the ids its socket was made with; *marked* if the socket bears TPROXY's mark."""

    uid: int
    gid: int
    marked: bool = False


class First(Value):
    """The first packet of a connection. It arrives by *interface*, or leaves by it where a process sent it."""

    protocol: Literal["tcp", "udp"]
    source: str
    destination: str
    port: int
    interface: str
    sender: Sender | None = None
    """Nobody in the pod: it arrives."""
    to_pod: bool = False
    """The destination is an address of the pod."""


class Captured(Value):
    """It goes to this port of the proxy."""

    port: int


class Direct(Value):
    """It goes where it was sent."""


class Dropped(Value):
    """It is gone."""


class Rejected(Value):
    """It is gone, and the sender is told."""


Fate: TypeAlias = Captured | Direct | Dropped | Rejected


def fate(wanted: Interception, first: First) -> Fate:
    """What *wanted* makes of *first*."""
    if first.interface in wanted.excluded_interfaces:
        return Direct()
    if not first.sender:
        return _arriving(wanted, first)
    captured = _dialled(wanted, first, first.sender) if _policy(wanted, first) == "capture" else Direct()
    return captured if isinstance(captured, Captured) else _leaving(wanted, first, first.sender)


def _arriving(wanted: Interception, first: First) -> Fate:
    policy = _policy(wanted, first)
    if policy == "drop":
        return Direct() if _is_direct(wanted, first) else Dropped()
    if policy == "bypass":
        return Direct()
    if first.interface in wanted.virtual_interfaces:
        inside = first.to_pod and not _is_question(wanted, first)
        return Direct() if inside else _destination(wanted, first)
    return _inbound(wanted, first) if first.protocol == "tcp" else Direct()


def _inbound(wanted: Interception, first: First) -> Fate:
    taken = holds(wanted.included_inbound_ports, first.port) and not _is_direct(wanted, first)
    return Captured(wanted.inbound_port) if taken else Direct()


def _dialled(wanted: Interception, first: First, sender: Sender) -> Fate:
    by_lo = first.interface == "lo"
    if by_lo and first.source in {names.HAIRPIN_IPV4, names.HAIRPIN_IPV6}:
        return Direct()
    if by_lo and sender.marked and isinstance(wanted.inbound_mode, Tproxied):
        return Direct()
    if _is_proxy(wanted, sender):
        return _of_proxy(wanted, first)
    if _is_excluded(wanted, first, sender) or not holds(wanted.included_gids, sender.gid):
        return Direct()
    return _destination(wanted, first)


def _of_proxy(wanted: Interception, first: First) -> Fate:
    asks = first.port == _DNS and not isinstance(wanted.dns, NoDns)
    to_itself = first.interface == "lo" and not within(first.destination, (wanted.loopback, "::1"))
    return _inbound(wanted, first) if to_itself and first.protocol == "tcp" and not asks else Direct()


def _destination(wanted: Interception, first: First) -> Fate:
    if holds(wanted.excluded_outbound_ports, first.port):
        return Direct()
    if _is_question(wanted, first):
        return Captured(wanted.dns_port)
    taken = first.protocol == "tcp" and _is_included(wanted, first)
    return Captured(wanted.outbound_port) if taken else Direct()


def _is_included(wanted: Interception, first: First) -> bool:
    if within(first.destination, wanted.excluded_outbound_cidrs):
        return False
    everywhere = set(EVERYWHERE) <= set(wanted.included_outbound_cidrs)
    networks = EVERYWHERE if everywhere else wanted.included_outbound_cidrs
    narrow = within(first.destination, networks) and holds(wanted.included_outbound_ports, first.port)
    if first.interface == "lo":
        return narrow and not everywhere and _names_loopback(wanted)
    return narrow or holds(wanted.outbound_ports_anywhere, first.port)


def _names_loopback(wanted: Interception) -> bool:
    """Whether an included network holds of loopback, other than simply all addresses."""
    named = [text for text in wanted.included_outbound_cidrs if text not in EVERYWHERE]
    return any(overlaps(text, loopback) for text in named for loopback in ("127.0.0.0/8", "::1"))


def _leaving(wanted: Interception, first: First, sender: Sender) -> Fate:
    """Of what is not captured."""
    exempt = first.interface == "lo" or _is_proxy(wanted, sender) or _is_excluded(wanted, first, sender)
    if exempt or holds(wanted.excluded_outbound_ports, first.port):
        return Direct()
    if within(first.destination, wanted.excluded_outbound_cidrs):
        return Direct()
    if _policy(wanted, first) == "drop":
        return Dropped()
    return _datagram(wanted, first) if first.protocol == "udp" else Direct()


def _datagram(wanted: Interception, first: First) -> Fate:
    policy = wanted.quic if first.port == _QUIC else "bypass"
    if policy == "bypass" and first.port != _DNS:
        policy = wanted.udp
    return Direct() if policy == "bypass" else Dropped() if policy == "drop" else Rejected()


def _policy(wanted: Interception, first: First) -> FamilyPolicy:
    return wanted.ipv6 if family_of(first.destination) == 6 else wanted.ipv4


def _is_proxy(wanted: Interception, sender: Sender) -> bool:
    return holds(wanted.proxy_uids, sender.uid) or holds(wanted.proxy_gids, sender.gid)


def _is_excluded(wanted: Interception, first: First, sender: Sender) -> bool:
    users = any(holds(each.uids, sender.uid) and holds(each.ports, first.port) for each in wanted.excluded_users)
    return users or holds(wanted.excluded_gids, sender.gid)


def _is_direct(wanted: Interception, first: First) -> bool:
    return holds(wanted.excluded_inbound_ports + wanted.tunnel_ports, first.port)


def _is_question(wanted: Interception, first: First) -> bool:
    match wanted.dns:
        case AllDns():
            return first.port == _DNS
        case DnsTo(servers):
            return first.port == _DNS and within(first.destination, servers)
        case NoDns():
            return False
