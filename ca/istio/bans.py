"""Who may not connect for a while: whoever was refused so often that to say so again costs others. Pure.

The times come in. A ban is told to the kernel as a classic BPF program for a listening socket
(https://www.kernel.org/doc/html/latest/networking/filter.html): their packets are dropped before there is a connection.
"""

import struct
from collections.abc import Collection
from ipaddress import IPv4Address
from typing import Final

from ca.istio.asked import Address
from ca.istio.limits import Limits, Rate

OFTEN: Final = Rate(100, 0.1)
"""Refusals of one address, and calls that it gave up: what is refused so often is no client that is mistaken."""
SECONDS: Final = 60.0
MOST: Final = 64
"""At a time; of more the oldest are let in again."""

_LOAD_BYTE, _LOAD_WORD, _SHIFT_RIGHT, _IF_EQUAL, _JUMP, _RETURN = 0x30, 0x20, 0x74, 0x15, 0x05, 0x06
_NETWORK: Final = 0xFFF00000
"""SKF_NET_OFF: from where on offsets count in the header of IP."""
_SOURCE_4, _SOURCE_6 = _NETWORK + 12, _NETWORK + 8
_PASS, _DROP = 0xFFFFFFFF, 0


class Bans:
    def __init__(self, often: Rate = OFTEN, seconds: float = SECONDS, most: int = MOST) -> None:
        self._refused, self._seconds, self._most = Limits(often), seconds, most
        self._until: dict[Address, float] = {}

    def refused(self, address: Address, now: float) -> bool:
        """Whether this refusal was one too many, and *address* is banned from now on."""
        if not self._refused.wait(address, now) or self._until.get(address, now) > now:
            return False
        self._until.pop(address, None)
        self._until[address] = now + self._seconds
        while len(self._until) > self._most:
            del self._until[next(iter(self._until))]
        return True

    def at(self, now: float) -> frozenset[Address]:
        """Who is banned."""
        self._until = {address: until for address, until in self._until.items() if until > now}
        return frozenset(self._until)


def dropping(addresses: Collection[Address]) -> bytes:
    """A filter that drops what comes from *addresses*, as instructions of the kernel's `struct sock_filter`."""
    fourth = b"".join(_one(_IF_EQUAL, int(each), 0, 1) + _one(_RETURN, _DROP) for each in addresses if _is_4(each))
    sixth = b"".join(_of_six(each) for each in addresses if not _is_4(each))
    passed = _one(_RETURN, _PASS)
    of_four = _one(_LOAD_WORD, _SOURCE_4) + fourth + passed
    version = _one(_LOAD_BYTE, _NETWORK) + _one(_SHIFT_RIGHT, 4) + _one(_IF_EQUAL, 4, 1, 0)
    return version + _one(_JUMP, len(of_four) // _SIZE) + of_four + sixth + passed


def _of_six(address: Address) -> bytes:
    """Word by word; the first that differs goes on behind all of it."""
    words = struct.unpack("!4L", address.packed)
    code = b""
    for number, word in enumerate(words):
        left = 2 * (len(words) - 1 - number) + 1
        code += _one(_LOAD_WORD, _SOURCE_6 + 4 * number) + _one(_IF_EQUAL, word, 0, left)
    return code + _one(_RETURN, _DROP)


def _is_4(address: Address) -> bool:
    return isinstance(address, IPv4Address)


def _one(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack(_FORM, code, if_true, if_false, value)


_FORM: Final = "=HBBL"
_SIZE: Final = 8
