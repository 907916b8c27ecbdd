"""Puts interception into the kernel's network namespace, reads it back, takes it out. Shell: the only such module."""

from __future__ import annotations

import _socket  # the module socket wraps it in enums, which take 10 ms to import
import errno
import fcntl
import os
import sys

from init.applied import Added, Applied, Present, Unavailable
from init.nftables import differences, first_script, removal, script
from init.rules import TABLE, ruleset
from init.values import Value
from proa.names import HAIRPIN_IPV6

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO, Final

    from init.applied import Hairpin
    from init.failures import KernelRefused
    from init.interception import Interception
    from init.rules import Ruleset

_SET_ADDRESS: Final = 0x8916
_DELETE_ADDRESS: Final = 0x8936
"""SIOCSIFADDR and SIOCDIFADDR (linux/sockios.h), which on an IPv6 socket take a struct in6_ifreq (linux/ipv6.h)."""
_NO_IPV6: Final = frozenset({errno.EAFNOSUPPORT, errno.EACCES, errno.EADDRNOTAVAIL, errno.ENODEV, errno.EOPNOTSUPP})
"""Answers of a kernel without IPv6, or with disable_ipv6 set on lo (EACCES, seen on 6.18)."""
_NOEXEC_SEAL: Final = 8
"""MFD_NOEXEC_SEAL: where the sysctl vm.memfd_noexec is 2, the kernel gives no file in memory without it."""


class Answer(Value):
    """How one run of nft ended."""

    status: int
    output: str
    complaint: str


def apply(wanted: Interception) -> Applied:
    """Intercept as *wanted*, in place of what may be intercepted now, without an instant in between.

    Raises KernelRefused (init.failures); then the former table is in force, unless the error is TableDiffers.
    """
    rules = ruleset(wanted)
    hairpin = _add_hairpin_address()
    try:
        _load(rules)
    except BaseException:
        if isinstance(hairpin, Added):
            _remove_hairpin_address()
        raise
    _check(rules)
    return Applied(hairpin)


def remove() -> None:
    """Intercept nothing: no table, no address. Nothing to remove is no error. Raises KernelRefused."""
    _must(_nft("-f", "-", script=removal()))
    _remove_hairpin_address()


def _load(rules: Ruleset) -> None:
    first = _nft("-f", "-", script=first_script(rules))
    if first.status and "File exists" in first.complaint:
        _must(_nft("-f", "-", script=script(rules)))
    else:
        _must(first)


def _check(rules: Ruleset) -> None:
    listed = _must(_nft("-n", "-s", "list", "table", "inet", TABLE))
    if found := differences(rules, listed):
        from init.failures import differing_table  # noqa: PLC0415 - only a failure pays for it

        raise differing_table(found)


def _must(answer: Answer) -> str:
    if not answer.status:
        return answer.output
    from init.failures import nft_failure  # noqa: PLC0415 - only a failure pays for it

    raise nft_failure(answer.complaint)


def _nft(*arguments: str, script: str = "") -> Answer:
    """Run nft with files in memory for its streams: no pipe can fill up, and subprocess would take 6 ms to import."""
    with _memory() as asked, _memory() as output, _memory() as complaint:
        asked.write(script.encode())
        asked.seek(0)
        streams = [
            (os.POSIX_SPAWN_DUP2, file.fileno(), number) for number, file in enumerate((asked, output, complaint))
        ]
        try:
            # strerror(3) speaks the locale's language, init.failures speaks English.
            child = os.posix_spawnp("nft", ("nft", *arguments), {**os.environ, "LC_ALL": "C"}, file_actions=streams)
        except OSError as error:
            from init.failures import NftMissing  # noqa: PLC0415 - only a failure pays for it

            raise NftMissing(f"nft cannot be run: {error.strerror}") from error
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        return Answer(status, _written(output), _written(complaint))


def _memory() -> BinaryIO:
    try:
        number = os.memfd_create("proa-init", os.MFD_CLOEXEC | _NOEXEC_SEAL)
    except OSError:  # Linux before 6.3 does not know the flag
        number = os.memfd_create("proa-init")
    return os.fdopen(number, "w+b", buffering=0)


def _written(file: BinaryIO) -> str:
    file.seek(0)
    return file.read().decode(errors="replace")


def _add_hairpin_address() -> Hairpin:
    try:
        _ask_of_lo(_SET_ADDRESS)
    except OSError as error:
        if error.errno == errno.EEXIST:
            return Present()
        if error.errno in _NO_IPV6:
            return Unavailable(os.strerror(error.errno))
        raise _address_failure(error) from error
    return Added()


def _remove_hairpin_address() -> None:
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
