"""The messages by which a rule and a route are added, removed and listed: rtnetlink(7), as bytes. Pure.

Written out for two kinds of objects: pyroute2, whichever part of it is imported, takes 170 ms and 20 MiB.
"""

from __future__ import annotations

import sys

from init.netlink import ACK, CREATE, REQUEST, attribute, attributes, message, u32
from proa.capture.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from init.netlink import Answer
    from proa.capture.choices import Tproxied

PROTOCOL: Final = 137
"""Who made a rule or route (RTPROT_*, linux/rtnetlink.h): none of those that are assigned there or in iproute2."""
_PRIORITY: Final = 1337
"""Before `main` (32766), after `local` (0)."""
_WHOLE: Final = 0xFFFFFFFF

# linux/rtnetlink.h, linux/netlink.h, linux/fib_rules.h.
NEW_ROUTE, DELETE_ROUTE, GET_ROUTES, NEW_RULE, DELETE_RULE, GET_RULES = 24, 25, 26, 32, 33, 34
ADD: Final = REQUEST | ACK | CREATE | 0x200
"""Fails with EEXIST where it is there: NLM_F_EXCL."""
REPLACE: Final = REQUEST | ACK | CREATE | 0x100
"""NLM_F_REPLACE."""
DELETE: Final = REQUEST | ACK
LIST: Final = REQUEST | 0x300
"""NLM_F_DUMP."""
_RTA_OIF, _RTA_TABLE = 4, 15
_FRA_PRIORITY, _FRA_FWMARK, _FRA_TABLE, _FRA_FWMASK, _FRA_PROTOCOL = 6, 10, 15, 16, 21
_TO_TABLE, _LOCAL, _HOST = 1, 2, 254
"""FR_ACT_TO_TBL, RTN_LOCAL, RT_SCOPE_HOST."""
_COMPAT: Final = 252
"""RT_TABLE_COMPAT: the table's number does not fit into the header's byte."""
_FIXED: Final = 12
"""Bytes of struct fib_rule_hdr and of struct rtmsg, before the attributes."""


class Entry(Value):
    """A rule or a route of ours."""

    mark: int
    """0 of a route."""
    table: int


def rule(kind: int, flags: int, family: int, mode: Tproxied) -> bytes:
    """What bears the mark is looked up in the table."""
    header = bytes((family, 0, 0, 0, _short(mode.table), 0, 0, _TO_TABLE)) + bytes(4)
    numbers = ((_FRA_PRIORITY, _PRIORITY), (_FRA_FWMARK, mode.mark), (_FRA_FWMASK, _WHOLE), (_FRA_TABLE, mode.table))
    said = b"".join(attribute(key, u32(value)) for key, value in numbers)
    return message(kind, flags, header + said + attribute(_FRA_PROTOCOL, bytes((PROTOCOL,))))


def route(kind: int, flags: int, family: int, table: int, interface: int) -> bytes:
    """Every address is local, as on the interface of this number."""
    header = bytes((family, 0, 0, 0, _short(table), PROTOCOL, _HOST, _LOCAL)) + bytes(4)
    return message(kind, flags, header + attribute(_RTA_OIF, u32(interface)) + attribute(_RTA_TABLE, u32(table)))


def listing(kind: int, family: int) -> bytes:
    """Asks for every rule or route of *family*."""
    return message(kind, LIST, bytes((family,)) + bytes(_FIXED - 1))


def entry(answer: Answer, family: int) -> Entry | None:
    """Ours, of a list of rules or routes; None for anybody else's, and for another family's.

    A kernel without the family that was asked about lists the routes of those it has.
    """
    found = dict(attributes(answer.payload[_FIXED:]))
    of_rule = answer.kind == NEW_RULE
    made_by = found.get(_FRA_PROTOCOL, b"\0")[0] if of_rule else answer.payload[5]
    if (answer.payload[0], made_by) != (family, PROTOCOL):
        return None
    mark = found.get(_FRA_FWMARK, bytes(4)) if of_rule else bytes(4)
    return Entry(int.from_bytes(mark, sys.byteorder), int.from_bytes(found.get(_RTA_TABLE, b""), sys.byteorder))


def _short(table: int) -> int:
    return table if table < 256 else _COMPAT
