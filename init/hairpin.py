"""Puts ::6 on lo and takes it off again. Shell."""

from __future__ import annotations

import _socket  # the module socket wraps it in enums, which take 10 ms to import
import errno
import fcntl
import os
import sys

from init.applied import Added, Present, Unavailable
from proa.names import HAIRPIN_IPV6

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from init.applied import Hairpin
    from init.failures import KernelRefused

_ADDRESSES: Final = "/proc/net/if_inet6"
"""Addresses in hexadecimal digits first, interfaces last (proc_net_if_inet6)."""
_SET_ADDRESS: Final = 0x8916
_DELETE_ADDRESS: Final = 0x8936
"""SIOCSIFADDR and SIOCDIFADDR (linux/sockios.h), which on an IPv6 socket take a struct in6_ifreq (linux/ipv6.h)."""
_NO_IPV6: Final = frozenset({errno.EAFNOSUPPORT, errno.EACCES, errno.EADDRNOTAVAIL, errno.ENODEV, errno.EOPNOTSUPP})
"""Answers of a kernel without IPv6, or with disable_ipv6 set on lo (EACCES, seen on 6.18)."""


def add() -> Hairpin:
    """Have the address on lo, or say why it cannot be. Raises KernelRefused."""
    try:
        _ask_of_lo(_SET_ADDRESS)
    except OSError as error:
        if error.errno == errno.EEXIST:
            return Present()
        if error.errno in _NO_IPV6:
            return Unavailable(os.strerror(error.errno))
        raise _address_failure(error) from error
    return Added()


def differences() -> tuple[str, ...]:
    """That the address is not on lo, though the kernel has IPv6 there."""
    try:
        with open(_ADDRESSES, encoding="ascii") as file:  # noqa: PTH123 - pathlib takes 8 ms
            on_lo = [line.split()[0] for line in file if line.split()[-1:] == ["lo"]]
    except FileNotFoundError:
        return ()
    wanted = _socket.inet_pton(_socket.AF_INET6, HAIRPIN_IPV6).hex()
    return (f"{HAIRPIN_IPV6} on lo: missing",) if on_lo and wanted not in on_lo else ()


def remove() -> None:
    """Not have it. Raises KernelRefused."""
    try:
        _ask_of_lo(_DELETE_ADDRESS)
    except OSError as error:
        if error.errno not in _NO_IPV6:
            raise _address_failure(error) from error


def _ask_of_lo(request: int) -> None:
    """Add or delete ::6/128 on lo by ioctl(2): rtnetlink would need a codec, `ip` another program in the image."""
    family = _socket.socket(_socket.AF_INET6, _socket.SOCK_DGRAM)
    try:
        lo = _socket.if_nametoindex("lo")
        fields = (128).to_bytes(4, sys.byteorder) + lo.to_bytes(4, sys.byteorder)
        fcntl.ioctl(family.fileno(), request, _socket.inet_pton(_socket.AF_INET6, HAIRPIN_IPV6) + fields)
    finally:
        family.close()


def _address_failure(error: OSError) -> KernelRefused:
    from init.failures import nft_failure  # noqa: PLC0415 - only a failure pays for it

    return nft_failure(f"Error: {HAIRPIN_IPV6}/128 on lo: {error.strerror}")
