"""Messages and attributes of netlink(7), as bytes. Pure."""

from __future__ import annotations

import sys

from proa.capture.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Final

# linux/netlink.h.
ERROR, DONE = 2, 3
REQUEST, ACK, CREATE = 1, 4, 0x400
NESTED: Final = 0x8000
"""In an attribute's key: it holds attributes."""
_HEADER: Final = 16
"""Bytes of struct nlmsghdr: length, kind, flags, sequence, port."""


class Answer(Value):
    """One message of the kernel's."""

    kind: int
    payload: bytes

    @property
    def error(self) -> int:
        """errno of an ERROR or of DONE; 0 where all is well."""
        return -int.from_bytes(self.payload[:4], sys.byteorder, signed=True)


def message(kind: int, flags: int, payload: bytes) -> bytes:
    """With the header; the kernel answers with the same sequence number, and one request is under way at a time."""
    length = u32(_HEADER + len(payload))
    return length + _u16(kind) + _u16(flags) + u32(1) + u32(0) + payload


def answers(received: bytes) -> Iterator[Answer]:
    """The messages that came at once."""
    while len(received) >= _HEADER:
        length = int.from_bytes(received[:4], sys.byteorder)
        yield Answer(int.from_bytes(received[4:6], sys.byteorder), received[_HEADER:length])
        received = received[_aligned(max(length, _HEADER)) :]


def attributes(given: bytes) -> Iterator[tuple[int, bytes]]:
    """Keys and values, one after another."""
    while len(given) >= 4:
        length = int.from_bytes(given[:2], sys.byteorder)
        yield int.from_bytes(given[2:4], sys.byteorder), given[4:length]
        given = given[_aligned(max(length, 4)) :]


def attribute(key: int, value: bytes) -> bytes:
    """One, filled up to where the next may begin."""
    padding = bytes(_aligned(len(value)) - len(value))
    return _u16(4 + len(value)) + _u16(key) + value + padding


def _aligned(length: int) -> int:
    return (length + 3) & ~3


def _u16(number: int) -> bytes:
    return number.to_bytes(2, sys.byteorder)


def u32(number: int) -> bytes:
    """In the machine's byte order."""
    return number.to_bytes(4, sys.byteorder)
