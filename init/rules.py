"""Interception as rules, each with the reason it is there. Pure.

The order and most reasons are Istio's (tools/istio-iptables), proved by its users' applications. Who the proxy is, is
decided once, in a chain of its own, so that user and group mean the same.
"""

from __future__ import annotations

from init.datagrams import leaving_rules, zone_in_rules, zone_out_rules
from init.inbound import answer_rules, arriving_rules, inbound_port_rules, inbound_rules, virtual_rules
from init.outbound import destination_rules, outbound_rules, proxy_rules
from init.ruleset import Chain, GroupSet, Hook, InterfaceSet, NetworkSet, PortSet, Ruleset, UserSet
from proa.capture.choices import DnsTo, Tproxied
from proa.capture.networks import EVERYWHERE, minimal
from proa.capture.spans import merged

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Final

    from init.ruleset import NamedSet
    from proa.capture.interception import Interception

TABLE: Final = "proa"

_RAW: Final = -300
_MANGLE: Final = -150
_DSTNAT: Final = -100
_FILTER: Final = 0
"""Netfilter's own order (linux/netfilter_ipv4.h): before conntrack looks, before destinations change, then, after."""


def ruleset(wanted: Interception) -> Ruleset:
    """The table that does what is *wanted*."""
    chains = tuple(_chains(wanted))
    rules = [rule for chain in chains for rule in chain.rules]
    used = {value for rule in rules for match in rule.when for value in vars(match).values()}
    counters = dict.fromkeys(counter for rule in rules if (counter := vars(rule.then).get("counter")))
    return Ruleset(
        table=TABLE,
        sets=tuple(named for named in _sets(wanted) if named.name in used),
        counters=tuple(counters),
        chains=chains,
    )


def _chains(wanted: Interception) -> Iterator[Chain]:
    """In the order of the packets' way; of the hooked ones, those that have something to do."""
    mode = wanted.inbound_mode
    hooked = (
        ("zone_in", Hook("filter", "prerouting", _RAW), zone_in_rules(wanted)),
        ("zone_out", Hook("filter", "output", _RAW), zone_out_rules(wanted)),
        ("arriving", Hook("filter", "prerouting", _MANGLE), arriving_rules(wanted)),
        ("answers", Hook("route", "output", _MANGLE), answer_rules(mode) if isinstance(mode, Tproxied) else ()),
        ("inbound", Hook("nat", "prerouting", _DSTNAT), inbound_rules(wanted)),
        ("outbound", Hook("nat", "output", _DSTNAT), outbound_rules(wanted)),
        ("leaving", Hook("filter", "output", _FILTER), leaving_rules(wanted)),
    )
    yield Chain("inbound_ports", None, tuple(inbound_port_rules(wanted)))
    yield Chain("destinations", None, tuple(destination_rules(wanted)))
    yield Chain("proxy", None, tuple(proxy_rules(wanted)))
    if wanted.virtual_interfaces:
        yield Chain("virtual", None, tuple(virtual_rules(wanted)))
    for name, hook, rules in hooked:
        if found := tuple(rules):
            yield Chain(name, hook, found)


def _sets(wanted: Interception) -> Iterator[NamedSet]:
    """Every list of *wanted* by its name."""
    for name in (
        "excluded_inbound_ports",
        "tunnel_ports",
        "included_inbound_ports",
        "excluded_outbound_ports",
        "included_outbound_ports",
        "outbound_ports_anywhere",
    ):
        yield PortSet(name, merged(getattr(wanted, name)))
    yield UserSet("proxy_uids", merged(wanted.proxy_uids))
    for number, users in enumerate(wanted.excluded_users):
        yield UserSet(f"excluded_uids_{number}", merged(users.uids))
        yield PortSet(f"excluded_uids_{number}_ports", merged(users.ports))
    for name in ("proxy_gids", "excluded_gids", "included_gids"):
        yield GroupSet(name, merged(getattr(wanted, name)))
    for name in ("excluded_interfaces", "virtual_interfaces"):
        yield InterfaceSet(name, tuple(sorted(set(getattr(wanted, name)))))
    yield from _network_sets(wanted)


def _network_sets(wanted: Interception) -> Iterator[NamedSet]:
    servers = wanted.dns.servers if isinstance(wanted.dns, DnsTo) else ()
    for name, cidrs in (
        ("excluded_cidrs", wanted.excluded_outbound_cidrs),
        ("included_cidrs", wanted.included_outbound_cidrs),
        ("dns_servers", servers),
    ):
        for family in (4, 6) if cidrs != EVERYWHERE else ():
            yield NetworkSet(f"{name}_{family}", family, minimal(cidrs, family))
