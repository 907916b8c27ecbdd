"""Why an interception cannot work, or would not mean what it says: every reason, each under its field. Pure."""

from __future__ import annotations

from proa.capture.choices import DnsTo, NoDns, Tproxied
from proa.capture.networks import family_of, network, overlaps, within
from proa.capture.spans import ALL_IDS, ALL_PORTS, LAST_ID, LAST_PORT, holds, inside, spelled

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Final

    from proa.capture.interception import Interception
    from proa.capture.refusals import Problem
    from proa.capture.spans import Spans

_PORTS: Final = f"ports of 1 to {LAST_PORT}, the lower one first"
_IDS: Final = f"0 to {LAST_ID}, the lower one first"
_PROXY_IDS: Final = f"1 to {LAST_ID}; 0 would let every process of root pass by the proxy"
_OWN_PORTS: Final = ("outbound_port", "inbound_port", "dns_port")
_PORT_SETS: Final = (
    "included_inbound_ports",
    "excluded_inbound_ports",
    "tunnel_ports",
    "included_outbound_ports",
    "excluded_outbound_ports",
    "outbound_ports_anywhere",
)
_LONGEST_NAME: Final = 15
"""IFNAMSIZ without the zero (linux/if.h)."""
_MOST: Final = 1000
"""Lines a second, above which a log is no log any more."""
_RESERVED_TABLES: Final = ((253, 255),)
"""`default`, `main` and `local` (rt_tables)."""


def problems(wanted: Interception) -> Iterator[Problem]:
    """What is wrong with *wanted*."""
    yield from _id_problems(wanted)
    yield from _own_port_problems(wanted)
    yield from _port_problems(wanted)
    yield from _network_problems(wanted)
    yield from _interface_problems(wanted)
    yield from _dns_problems(wanted)
    yield from _other_problems(wanted)


def _id_problems(wanted: Interception) -> Iterator[Problem]:
    for field in ("proxy_uids", "proxy_gids"):
        yield from _span_problems(field, getattr(wanted, field), (1, LAST_ID), _PROXY_IDS)
    for field in ("included_gids", "excluded_gids"):
        yield from _span_problems(field, getattr(wanted, field), (0, LAST_ID), _IDS)
    if not wanted.proxy_uids and not wanted.proxy_gids:
        yield (
            "proxy_uids",
            "nothing",
            "a user or a group: without one the proxy's connections come back to it",
        )
    for users in wanted.excluded_users:
        yield from _span_problems("excluded_users", users.uids, (0, LAST_ID), _IDS)
        yield from _span_problems("excluded_users", users.ports, (1, LAST_PORT), _PORTS)
        if not users.uids or not users.ports:
            yield "excluded_users", "nothing", "users, and ports if not all are meant"
        yield from _shadowed("excluded_users", users.uids, wanted.proxy_uids, "is the proxy's anyway")
    yield from _shadowed("excluded_gids", wanted.excluded_gids, wanted.proxy_gids, "is the proxy's anyway")
    if wanted.included_gids != ALL_IDS:
        yield from _shadowed("included_gids", wanted.included_gids, wanted.proxy_gids, "is the proxy's")
    yield from _shadowed("included_gids", wanted.included_gids, wanted.excluded_gids, "is excluded as well")


def _own_port_problems(wanted: Interception) -> Iterator[Problem]:
    used: dict[int, str] = {}
    for field in _OWN_PORTS:
        port = getattr(wanted, field)
        if not 1 <= port <= LAST_PORT:
            yield field, port, f"1 to {LAST_PORT}"
        elif port in used:
            yield field, port, f"another port than {used[port]}: the proxy tells the two apart by it"
        used.setdefault(port, field)


def _port_problems(wanted: Interception) -> Iterator[Problem]:
    for field in _PORT_SETS:
        spans: Spans = getattr(wanted, field)
        yield from _span_problems(field, spans, (1, LAST_PORT), _PORTS)
        for own in _OWN_PORTS:
            if spans != ALL_PORTS and holds(spans, getattr(wanted, own)):
                yield field, getattr(wanted, own), f"ports other than {own}, which takes intercepted connections itself"
    excluded = wanted.excluded_inbound_ports + wanted.tunnel_ports
    yield from _shadowed("included_inbound_ports", wanted.included_inbound_ports, excluded, "is excluded as well")
    for field in ("included_outbound_ports", "outbound_ports_anywhere"):
        yield from _shadowed(field, getattr(wanted, field), wanted.excluded_outbound_ports, "is excluded as well")
    if wanted.included_outbound_ports != ALL_PORTS and not wanted.included_outbound_cidrs:
        yield (
            "included_outbound_ports",
            spelled(wanted.included_outbound_ports),
            "nothing where no network is included: they narrow the networks",
        )


def _network_problems(wanted: Interception) -> Iterator[Problem]:
    broken: set[str] = set()
    for field in ("included_outbound_cidrs", "excluded_outbound_cidrs", "loopback"):
        given = getattr(wanted, field)
        for text in (given,) if isinstance(given, str) else given:
            if problem := _network_problem(text):
                broken.add(text)
                yield field, text, problem
    if not broken:
        yield from _network_contradictions(wanted)


def _network_contradictions(wanted: Interception) -> Iterator[Problem]:
    if not within(wanted.loopback, ("127.0.0.0/8",)):
        yield "loopback", wanted.loopback, "a network in 127.0.0.0/8"
    included, excluded = wanted.included_outbound_cidrs, wanted.excluded_outbound_cidrs
    if len(included) * len(excluded) <= 100_000:  # beyond, it would take longer than all the rest
        for text in included:
            if within(text, excluded):
                yield "included_outbound_cidrs", text, "networks that no excluded one holds whole"
    for text in included:
        policy = wanted.ipv6 if family_of(text) == 6 else wanted.ipv4
        if policy != "capture" and not text.endswith("/0"):
            yield "included_outbound_cidrs", text, f"networks of a family that is captured; its policy is {policy}"


def _network_problem(text: str) -> str:
    try:
        network(text)
    except ValueError as error:
        reason = str(error)
        if "host bits" in reason:
            from ipaddress import ip_interface  # noqa: PLC0415 - only the refused pay for it

            return f"{ip_interface(text).network}, or one address without a prefix length"
        return "a network such as 10.0.0.0/8 or fd00::/8, or one address"
    return ""


def _interface_problems(wanted: Interception) -> Iterator[Problem]:
    for field in ("excluded_interfaces", "virtual_interfaces"):
        for name in getattr(wanted, field):
            if not _is_interface(name):
                yield field, name, f"names of at most {_LONGEST_NAME} letters, digits and -_.:@ signs"
            elif name == "lo":
                yield field, name, "other interfaces than lo, on which the pod talks to itself"
    for name in wanted.virtual_interfaces:
        if name in wanted.excluded_interfaces:
            yield "virtual_interfaces", name, "interfaces that are not excluded as well"


def _is_interface(name: str) -> bool:
    """What Linux lets be a name (dev_valid_name), and of it what no script has to quote."""
    plain = name.isascii() and all(letter.isalnum() or letter in "-_.:@" for letter in name)
    return plain and 1 <= len(name) <= _LONGEST_NAME and name not in {".", ".."} and name[0] not in "-:@"


def _dns_problems(wanted: Interception) -> Iterator[Problem]:
    match wanted.dns:
        case DnsTo(()):
            yield "dns", "nothing", "a server, all, or off"
        case DnsTo(servers):
            wrong = [server for server in servers if "/" in server or _network_problem(server)]
            yield from (("dns", server, "addresses of servers") for server in wrong)
            if not wrong:
                yield from _dns_loop(servers)
        case _:
            pass
    if not isinstance(wanted.dns, NoDns) and holds(wanted.excluded_outbound_ports, 53):
        yield "dns", "port 53", "a port that is not excluded, or off"


def _dns_loop(servers: tuple[str, ...]) -> Iterator[Problem]:
    stubs = [server for server in servers if overlaps(server, "127.0.0.0/8") or overlaps(server, "::1")]
    if stubs and len(stubs) < len(servers):
        yield (
            "dns",
            ",".join(servers),
            f"{', '.join(stubs)} alone: a resolver in the pod would ask the others, and get to the proxy, for ever",
        )


def _other_problems(wanted: Interception) -> Iterator[Problem]:
    for field, allowed in (
        ("udp", ("bypass", "drop", "reject")),
        ("quic", ("bypass", "drop", "reject")),
        ("ipv4", ("capture", "bypass", "drop")),
        ("ipv6", ("capture", "bypass", "drop")),
    ):
        if getattr(wanted, field) not in allowed:
            yield field, getattr(wanted, field), ", ".join(allowed)
    if wanted.ipv4 != "capture" and wanted.ipv6 != "capture":
        yield "ipv4", f"{wanted.ipv4}, as ipv6", "capture for one of the two at least"
    if not 0 <= wanted.log_rate <= _MOST:
        yield "log_rate", wanted.log_rate, f"0 to {_MOST}"
    if isinstance(wanted.inbound_mode, Tproxied):
        if not 1 <= wanted.inbound_mode.mark < 2**32:
            yield "inbound_mode", f"mark {wanted.inbound_mode.mark}", f"a mark of 1 to {2**32 - 1}"
        if not 1 <= wanted.inbound_mode.table < 2**32 or holds(_RESERVED_TABLES, wanted.inbound_mode.table):
            yield "inbound_mode", f"table {wanted.inbound_mode.table}", "a table of 1 to 4294967295, but 253 to 255"


def _span_problems(field: str, spans: Spans, limits: tuple[int, int], allowed: str) -> Iterator[Problem]:
    for first, last in spans:
        if not limits[0] <= first <= last <= limits[1]:
            yield field, first if first == last else f"{first}-{last}", allowed


def _shadowed(field: str, spans: Spans, others: Spans, fact: str) -> Iterator[Problem]:
    """Spans that another setting leaves nothing of."""
    for span in spans:
        if inside(span, others):
            yield field, spelled((span,)), f"what has an effect: it {fact}"
