"""The routes that bring an application's answers to a proxy that spoke from its client's address. Shell.

Ours are told by the protocol number of their own, so that another mark or table leaves none of the former ones.
"""

from __future__ import annotations

# pyroute2 has no types of its own: nothing of it leaves this module.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false, reportUnknownLambdaType=false
import errno
import os
import socket
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, Final

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from init.failures import nft_failure
from proa.capture.choices import Tproxied

_PROTOCOL: Final = 137
"""Who made a rule or route (RTPROT_*, linux/rtnetlink.h): none of those that are assigned there or in iproute2."""
_PRIORITY: Final = 1337
"""Before `main` (32766), after `local` (0)."""
_WHOLE: Final = 0xFFFFFFFF
_FAMILIES: Final = (socket.AF_INET, socket.AF_INET6)
_NO_FAMILY: Final = frozenset({errno.EAFNOSUPPORT, errno.EOPNOTSUPP, errno.EACCES, errno.ENODEV, errno.EINVAL})
"""Answers of a kernel without IPv6, or with it off."""


def add(mode: Tproxied) -> bool:
    """Have what bears the mark delivered inside the pod, for both families; whether that is new. Idempotent.

    Raises KernelRefused.
    """
    with _netlink() as netlink:
        added = tuple(_add(netlink, family, mode) for family in _FAMILIES)  # both, whatever the first says
        return any(added)


def keep(mode: Tproxied | None) -> None:
    """Leave no rule and no route of ours but those of *mode*. Raises KernelRefused."""
    with _netlink() as netlink:
        for family in _FAMILIES:
            _remove(netlink, family, lambda it: it != mode)


def differences(mode: Tproxied) -> tuple[str, ...]:
    """What is missing of *mode*'s in IPv4; IPv6 may be off. Raises KernelRefused."""
    with _netlink() as netlink:
        rules = [rule for rule in netlink.get_rules(family=socket.AF_INET) if rule.get("FRA_PROTOCOL") == _PROTOCOL]
        routes = [route.get("RTA_TABLE") for route in netlink.get_routes(family=socket.AF_INET)]
    modes = [Tproxied(rule.get("FRA_FWMARK"), rule.get("FRA_TABLE")) for rule in rules]
    missing = () if mode in modes else (f"rule of mark {mode.mark}: missing",)
    return missing if mode.table in routes else (*missing, f"route of table {mode.table}: missing")


def withdraw(mode: Tproxied) -> None:
    """Take back what `add` added. Raises KernelRefused."""
    with _netlink() as netlink:
        for family in _FAMILIES:
            _remove(netlink, family, lambda it: it == mode)


@contextmanager
def _netlink() -> Generator[Any]:
    try:
        with IPRoute() as netlink:
            yield netlink
    except NetlinkError as error:
        raise nft_failure(f"Error: policy routing: {os.strerror(error.code)}") from error


def _add(netlink: Any, family: int, mode: Tproxied) -> bool:
    """One family; a kernel without IPv6 needs no route of it."""
    lo = netlink.link_lookup(ifname="lo")[0]
    route = {"dst": "default", "type": "local", "scope": "host", "oif": lo, "table": mode.table, "proto": _PROTOCOL}
    rule = {"fwmark": mode.mark, "fwmask": _WHOLE, "table": mode.table, "priority": _PRIORITY, "protocol": _PROTOCOL}
    try:
        netlink.route("replace", family=family, **route)
        netlink.rule("add", family=family, **rule)
    except NetlinkError as error:
        if error.code == errno.EEXIST or (family == socket.AF_INET6 and error.code in _NO_FAMILY):
            return False
        raise
    return True


def _remove(netlink: Any, family: int, unwanted: Callable[[Tproxied], bool]) -> None:
    """Rules, and the routes of tables that no rule of ours leads to any more."""
    needed: set[int] = set()
    for rule in netlink.get_rules(family=family):
        if rule.get("FRA_PROTOCOL") != _PROTOCOL:
            continue
        mode = Tproxied(rule.get("FRA_FWMARK"), rule.get("FRA_TABLE"))
        if unwanted(mode):
            keys = {"fwmark": mode.mark, "fwmask": _WHOLE, "table": mode.table}
            netlink.rule("del", family=family, priority=_PRIORITY, **keys)
        else:
            needed.add(mode.table)
    for route in netlink.get_routes(family=family):
        if route.get("proto") == _PROTOCOL and route.get("RTA_TABLE") not in needed:
            netlink.route("del", family=family, dst="default", type="local", scope="host", table=route.get("RTA_TABLE"))
