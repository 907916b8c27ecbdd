"""Asks the kernel by netlink(7) and takes its answers. Shell."""

from __future__ import annotations

import _socket  # the module socket wraps it in enums, which take 10 ms to import

from init.netlink import DONE, ERROR, answers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from init.netlink import Answer

# linux/netlink.h.
ROUTE, NETFILTER = 0, 12
_NETLINK: Final = 16
"""AF_NETLINK (linux/socket.h)."""
_ROOM: Final = 65_536
"""Bytes: more than the kernel sends at once."""


def opened(protocol: int) -> _socket.socket:
    """Of this network namespace. Raises OSError."""
    return _socket.socket(_NETLINK, _socket.SOCK_RAW | _socket.SOCK_CLOEXEC, protocol)


def answered(protocol: int, message: bytes) -> tuple[Answer, ...]:
    """What the kernel says to it, up to its last word, which is an ERROR or DONE. Raises OSError."""
    found: list[Answer] = []
    netlink = opened(protocol)
    try:
        netlink.sendto(message, (0, 0))
        while not found or found[-1].kind not in {ERROR, DONE}:
            found += answers(netlink.recv(_ROOM))
    finally:
        netlink.close()
    return tuple(found)
