"""The demo's network: a namespace for the node with a bridge, one for each pod, a veth between them. Shell.

The bridge has a namespace of its own too, so that the machine's addresses, routes and firewall are not touched.
"""
# pyroute2 has no types of its own: its calls are told apart here, and nothing of them leaves this module.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false

import os
import select
import signal
import socket
import threading
from collections.abc import Iterable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from ipaddress import IPv4Interface, IPv6Interface, ip_interface
from pathlib import Path
from typing import Any, Final, TypeAlias

from pyroute2 import IPRoute, netns

Interface: TypeAlias = IPv4Interface | IPv6Interface

PREFIX: Final = "proa-demo-"
NODE: Final = f"{PREFIX}node"
BRIDGE: Final = "bridge"
_GATEWAYS: Final = ("10.133.7.1/24", "fd00:1337::1/64")
_FIRST_POD: Final = 10
_NAMESPACES: Final = Path("/run/netns")
_PATIENCE: Final = 10.0
"""Seconds that a killed process may take to end."""
_NODAD: Final = 0x02  # IFA_F_NODAD: nobody else is on this link, so an address need not wait to be found unique.


@dataclass(frozen=True, slots=True)
class PodNetwork:
    """A pod's place in the network. *namespace* is its name for `ip netns`."""

    namespace: str
    addresses: tuple[str, ...]


def families() -> tuple[str, ...]:
    """The gateways of the address families this kernel has: IPv4, and IPv6 unless it is switched off."""
    disabled = Path("/proc/sys/net/ipv6/conf/default/disable_ipv6")
    has_ipv6 = disabled.exists() and disabled.read_text(encoding="ascii").strip() == "0"
    return _GATEWAYS if has_ipv6 else _GATEWAYS[:1]


def create_node() -> None:
    netns.create(NODE)
    with IPRoute(netns=NODE) as node:
        _set_up(node, "lo")
        node.link("add", ifname=BRIDGE, kind="bridge")
        index = _set_up(node, BRIDGE)
        for gateway in map(ip_interface, families()):
            _add_address(node, index, gateway)


def create_pod(name: str, number: int) -> PodNetwork:
    """A namespace for pod *name*, wired to the bridge; *number* (from 0) gives it its addresses."""
    namespace = f"{PREFIX}{name}"
    gateways = [ip_interface(gateway) for gateway in families()]
    addresses = [ip_interface(f"{one.ip + _FIRST_POD + number}/{one.network.prefixlen}") for one in gateways]
    netns.create(namespace)
    with IPRoute(netns=NODE) as node:
        node.link("add", ifname=name, kind="veth", peer={"ifname": "eth0", "net_ns_fd": namespace})
        port = _set_up(node, name)
        node.link("set", index=port, master=_index(node, BRIDGE))
    with IPRoute(netns=namespace) as pod:
        _set_up(pod, "lo")
        index = _set_up(pod, "eth0")
        for address, gateway in zip(addresses, gateways, strict=True):
            _add_address(pod, index, address)
            pod.route("add", dst="default", gateway=str(gateway.ip), family=_family(gateway))
    return PodNetwork(namespace, tuple(str(address.ip) for address in addresses))


def remove_all() -> tuple[str, ...]:
    """Kill whatever runs in the demo's namespaces, then remove them; the names of those removed."""
    found = sorted(entry.name for entry in _NAMESPACES.glob(f"{PREFIX}*"))
    inodes = {(_NAMESPACES / name).stat().st_ino for name in found}
    _kill(_processes_in(inodes))
    for name in found:
        netns.remove(name)
    return tuple(found)


def _kill(pids: Iterable[int]) -> None:
    """And wait until they have ended: what they hold goes with them."""
    with ExitStack() as stack:
        ending = list[int]()
        for pid in pids:
            # A process that ended meanwhile has done what was asked.
            with suppress(ProcessLookupError):
                ending.append(os.pidfd_open(pid))
                stack.callback(os.close, ending[-1])
                signal.pidfd_send_signal(ending[-1], signal.SIGKILL)
        for each in ending:
            select.select([each], [], [], _PATIENCE)


def socket_in(namespace: str, family: int, kind: int, protocol: int = 0) -> socket.socket:
    """A socket of another network namespace: it stays there though this process does not go."""
    made: list[socket.socket] = []

    def enter_and_open() -> None:
        # setns(CLONE_NEWNET) moves one thread only, and this one ends here.
        netns.setns(namespace)
        made.append(socket.socket(family, kind, protocol))

    thread = threading.Thread(target=enter_and_open)
    thread.start()
    thread.join()
    if not made:
        raise OSError(f"no socket in network namespace {namespace}")
    return made[0]


def _processes_in(inodes: Iterable[int]) -> list[int]:
    wanted, found = set(inodes), list[int]()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if (entry / "ns" / "net").stat().st_ino in wanted:
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


def _index(handle: Any, name: str) -> int:
    index: int = handle.link_lookup(ifname=name)[0]
    return index


def _set_up(handle: Any, name: str) -> int:
    index = _index(handle, name)
    handle.link("set", index=index, state="up")
    return index


def _add_address(handle: Any, index: int, address: Interface) -> None:
    flags = {"flags": _NODAD} if address.version == 6 else {}
    handle.addr("add", index=index, address=str(address.ip), prefixlen=address.network.prefixlen, **flags)


def _family(address: Interface) -> int:
    return socket.AF_INET6 if address.version == 6 else socket.AF_INET
