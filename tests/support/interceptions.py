"""Interceptions for property tests: any combination of settings that makes sense."""

from contextlib import suppress
from typing import Any

from hypothesis import strategies as st

from proa.capture.choices import AllDns, DnsTo, ExcludedUsers, NoDns, Redirected, Tproxied
from proa.capture.interception import Interception
from proa.capture.networks import EVERYWHERE
from proa.capture.spans import ALL_IDS, ALL_PORTS, Spans
from proa.errors import Refused

NETWORKS = (
    *("9.0.0.0/8", "9.9.0.0/16", "9.9.1.1", "10.96.0.0/12", "1.1.0.0/16", "127.1.2.3", "0.0.0.0/1"),
    *("fd99::/16", "fd11::/16", "fd96::10", "::/1"),
)


def spans(last: int, first: int = 1) -> st.SearchStrategy[Spans]:
    one = st.tuples(st.integers(first, last), st.integers(first, last)).map(lambda two: (min(two), max(two)))
    few = st.sampled_from([(80, 80), (443, 443), (22, 22), (53, 53), (3000, 3100), (8080, 8081), (1000, 1000)])
    return st.lists(few | one, max_size=4).map(tuple)


ports = spans(14000)
networks = st.lists(st.sampled_from(NETWORKS), max_size=4, unique=True).map(tuple)
names = st.lists(st.sampled_from(["eth1", "net1", "k6t0"]), max_size=2, unique=True).map(tuple)
SETTINGS: dict[str, st.SearchStrategy[Any]] = {
    "proxy_uids": spans(2000),
    "proxy_gids": spans(2000),
    "inbound_mode": st.sampled_from([Redirected(), Tproxied(), Tproxied(5, 6)]),
    "included_inbound_ports": st.just(ALL_PORTS) | ports,
    "excluded_inbound_ports": ports,
    "tunnel_ports": ports,
    "included_outbound_cidrs": st.just(EVERYWHERE) | networks,
    "excluded_outbound_cidrs": networks,
    "included_outbound_ports": st.just(ALL_PORTS) | ports,
    "excluded_outbound_ports": ports,
    "outbound_ports_anywhere": ports,
    "excluded_interfaces": names,
    "virtual_interfaces": names,
    "excluded_users": st.lists(st.builds(ExcludedUsers, spans(3000), ports), max_size=2).map(tuple),
    "included_gids": st.just(ALL_IDS) | spans(2000),
    "excluded_gids": spans(2000),
    "dns": st.sampled_from([NoDns(), AllDns(), DnsTo(("10.77.9.53",)), DnsTo(("10.77.9.53", "fd77:9::53"))]),
    "udp": st.sampled_from(["bypass", "drop", "reject"]),
    "quic": st.sampled_from(["bypass", "drop", "reject"]),
    "ipv4": st.sampled_from(["capture", "bypass", "drop"]),
    "ipv6": st.sampled_from(["capture", "bypass", "drop"]),
    "loopback": st.sampled_from(["127.0.0.0/8", "127.0.0.1/32"]),
    "drop_invalid": st.booleans(),
    "log_rate": st.integers(0, 50),
}


@st.composite
def interceptions(draw: st.DrawFn, least: int = 0) -> Interception:
    """One setting after another, each that makes sense beside the former ones."""
    chosen = draw(st.lists(st.sampled_from(sorted(SETTINGS)), unique=True, min_size=least, max_size=14))
    wanted: dict[str, Any] = {}
    for field in chosen:
        value = draw(SETTINGS[field])
        with suppress(Refused):
            Interception(**wanted, **{field: value})
            wanted[field] = value
    return Interception(**wanted)
