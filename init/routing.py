"""The routes that bring an application's answers to a proxy that spoke from its client's address. Shell.

Ours are told by the protocol number of their own, so that another mark or table leaves none of the former ones.
"""

from __future__ import annotations

import _socket  # the module socket wraps it in enums, which take 10 ms to import
import errno
import os

from init import rtnetlink
from init.netlink_socket import ROUTE, answered
from init.rtnetlink import ADD, DELETE, DELETE_ROUTE, DELETE_RULE, GET_ROUTES, GET_RULES, NEW_ROUTE, NEW_RULE, REPLACE
from proa.capture.choices import Tproxied

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Final

    from init.failures import KernelRefused
    from init.netlink import Answer
    from init.rtnetlink import Entry

_FAMILIES: Final = (_socket.AF_INET, _socket.AF_INET6)
_NO_FAMILY: Final = frozenset({errno.EAFNOSUPPORT, errno.EOPNOTSUPP, errno.EACCES, errno.ENODEV, errno.EINVAL})
"""Answers of a kernel without IPv6, or with it off."""


def add(mode: Tproxied) -> bool:
    """Have what bears the mark delivered inside the pod, for both families; whether that is new. Idempotent.

    Raises KernelRefused; then nothing is new.
    """
    added: list[int] = []
    try:
        for family in _FAMILIES:
            if _add(family, mode):
                added.append(family)  # noqa: PERF401 - of a list that is refused midway nothing would be known
    except BaseException:
        for family in added:
            _remove(family, lambda it: it == mode)
        raise
    return bool(added)


def keep(mode: Tproxied | None) -> None:
    """Leave no rule and no route of ours but those of *mode*. Raises KernelRefused."""
    for family in _FAMILIES:
        _remove(family, lambda it: it != mode)


def differences(mode: Tproxied) -> tuple[str, ...]:
    """What is missing of *mode*'s in IPv4; IPv6 may be off. Raises KernelRefused."""
    modes = [_mode(rule) for rule in _ours(GET_RULES, _socket.AF_INET)]
    tables = [route.table for route in _ours(GET_ROUTES, _socket.AF_INET)]
    missing = () if mode in modes else (f"rule of mark {mode.mark}: missing",)
    return missing if mode.table in tables else (*missing, f"route of table {mode.table}: missing")


def withdraw(mode: Tproxied) -> None:
    """Take back what `add` added. Raises KernelRefused."""
    for family in _FAMILIES:
        _remove(family, lambda it: it == mode)


def _add(family: int, mode: Tproxied) -> bool:
    replaced = rtnetlink.route(NEW_ROUTE, REPLACE, family, mode.table, _lo())
    if _told(replaced, _unneeded(family)):
        return False
    try:
        return not _told(rtnetlink.rule(NEW_RULE, ADD, family, mode), _unneeded(family) | {errno.EEXIST})
    except BaseException:
        _remove(family, lambda _: False)  # no rule leads to the route
        raise


def _remove(family: int, unwanted: Callable[[Tproxied], bool]) -> None:
    """Rules, and the routes of tables that no rule of ours leads to any more."""
    modes = [_mode(rule) for rule in _ours(GET_RULES, family)]
    for mode in modes:
        if unwanted(mode):
            _told(rtnetlink.rule(DELETE_RULE, DELETE, family, mode))
    needed = {mode.table for mode in modes if not unwanted(mode)}
    for route in _ours(GET_ROUTES, family):
        if route.table not in needed:
            _told(rtnetlink.route(DELETE_ROUTE, DELETE, family, route.table, _lo()))


def _lo() -> int:
    return _socket.if_nametoindex("lo")


def _mode(rule: Entry) -> Tproxied:
    return Tproxied(rule.mark, rule.table)


def _ours(kind: int, family: int) -> tuple[Entry, ...]:
    """Rules or routes. Raises KernelRefused."""
    *found, last = _answered(rtnetlink.listing(kind, family))
    _accepted(last.error, _unneeded(family))
    entries = (rtnetlink.entry(answer, family) for answer in found)
    return tuple(each for each in entries if each is not None)


def _told(message: bytes, expected: frozenset[int] = frozenset()) -> int:
    """0 where it is done, or which of the *expected* errors it was. Raises KernelRefused."""
    *_, last = _answered(message)
    return _accepted(last.error, expected)


def _answered(message: bytes) -> tuple[Answer, ...]:
    """What the kernel says to it, up to its last word, which is an ERROR or DONE. Raises KernelRefused."""
    try:
        return answered(ROUTE, message)
    except OSError as error:
        raise _refusal(error.errno or 0) from error


def _unneeded(family: int) -> frozenset[int]:
    """Errors that are none: a kernel without IPv6 needs no route of it."""
    return _NO_FAMILY if family == _socket.AF_INET6 else frozenset()


def _accepted(error: int, expected: frozenset[int]) -> int:
    if error and error not in expected:
        raise _refusal(error)
    return error


def _refusal(error: int) -> KernelRefused:
    from init.failures import nft_failure  # noqa: PLC0415 - only a failure pays for it

    return nft_failure(f"Error: policy routing: {os.strerror(error)}")
