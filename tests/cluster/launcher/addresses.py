"""Whether the cluster's addresses are free on a machine. Pure."""

import json
from collections.abc import Iterator
from ipaddress import IPv4Network, IPv6Network, ip_interface, ip_network
from typing import Final

from launcher.layout import MACHINE_ADDRESSES, POD_RANGES, SERVICE_RANGES

PREFIXES: Final = {4: 24, 6: 64}
"""Of the link between the machine and the node, in bits."""

Network = IPv4Network | IPv6Network


def link_address(address: str) -> str:
    """*address* with the length of the link's prefix."""
    return f"{address}/{PREFIXES[ip_interface(address).version]}"


def taken(routes: str) -> tuple[str, ...]:
    """The destinations in *routes*, what `ip -json route` printed, that overlap the cluster's ranges."""
    found = (ip_network(route["dst"]) for route in json.loads(routes or "[]") if route["dst"] != "default")
    ours = tuple(_ranges())
    return tuple(str(network) for network in found if any(_overlap(network, own) for own in ours))


def _ranges() -> Iterator[Network]:
    for address in MACHINE_ADDRESSES:
        yield ip_interface(link_address(address)).network
    for own in (*POD_RANGES, *SERVICE_RANGES):
        yield ip_network(own)


def _overlap(one: Network, other: Network) -> bool:
    match one, other:
        case (IPv4Network(), IPv4Network()) | (IPv6Network(), IPv6Network()):
            return one.overlaps(other)
        case _:
            return False
