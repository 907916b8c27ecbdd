"""Ends the connections of a client that has more than its share, or is refused without end. Shell.

The library can bound a port's connections, and not a client's; nor does it hand out what it accepts. But its sockets
are this process's own: they are found by their file descriptors, and shut down by a duplicate, which is the same
connection whatever becomes of the number meanwhile (docs/decisions/0036).
"""

import asyncio
import ctypes
import os
import socket
import stat
import struct
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from pathlib import Path
from typing import Final, NamedTuple

import structlog

from ca.istio.asked import Address
from ca.istio.bans import OFTEN, SECONDS, Bans, dropping
from ca.istio.limits import Limits, Rate
from ca.istio.shares import surplus

MOST: Final = 32
"""Of one address at both ports together: with `server.STREAMS` calls each, half of the calls that may be open."""
CALLS: Final = 256
"""Of one address, a quarter of those that may be open: an agent has one, a node's proxy what one connection carries."""
_PAUSE: Final = 0.02
"""Seconds from a new connection to the look at all of them: a thousand take some milliseconds."""
_CUT: Final = 1.0
"""Seconds for which it is remembered that a connection was ended here: its calls come to their end in milliseconds."""
_LINES: Final = Rate(1, 60.0)
"""Of the log, for one address."""
_ATTACH_FILTER: Final = 26  # SO_ATTACH_FILTER of Linux
_FAMILIES: Final = frozenset({socket.AF_INET, socket.AF_INET6})
_DESCRIPTORS: Final = Path("/proc/self/fd")
_LOG: Final = structlog.get_logger("ca")


@dataclass(frozen=True, slots=True)
class Share:
    """Of one address: how many *connections* and *calls* at a time, and how often it may be refused before it is kept
    out, for *seconds*."""

    connections: int = MOST
    calls: int = CALLS
    refusals: Rate = OFTEN
    seconds: float = SECONDS


SHARE: Final = Share()


class Peer(NamedTuple):
    """A client's end of one connection."""

    address: Address
    port: int


class _Socket(NamedTuple):
    """A number is used again, together with the inode it is one connection's."""

    descriptor: int
    inode: int


class Connections:
    """Those accepted at *ports*. `came` is called, in any thread, when there is another one."""

    def __init__(self, share: Share) -> None:
        self._share, self._loop, self._due = share, asyncio.get_running_loop(), False
        self._known: dict[_Socket, Address | None] = {}
        self._lines, self._bans = Limits(_LINES), Bans(share.refusals, share.seconds)
        self._cut: dict[Peer, float] = {}
        self.ports: Collection[int] = ()

    def came(self) -> None:
        with suppress(RuntimeError):  # the loop has ended, and the process is about to
            self._loop.call_soon_threadsafe(self._soon)

    def refused(self, address: Address | None) -> None:
        """Another call of *address* came to nothing: who does not stop is kept out for a time, by the kernel."""
        if address is not None and self._bans.refused(address, self._loop.time()):
            _LOG.warning("refused too often, and kept out", address=str(address), seconds=self._share.seconds)
            self._keep_out()
            self._loop.call_later(self._share.seconds + _PAUSE, self._keep_out)
            self._soon()

    def given_up(self, peer: Peer | None) -> None:
        """As `refused`, for a call that was cancelled: by its client, unless its connection was ended here."""
        if peer is not None and self._cut.get(peer, 0.0) < self._loop.time():
            self.refused(peer.address)

    def _keep_out(self) -> None:
        """Whoever is banned now, and nobody else."""
        program = dropping(self._bans.at(self._loop.time()))
        for each in _sockets():
            with suppress(OSError), _duplicate(each) as found:
                if self._ours(found) and found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                    filtered(found, program)

    def _soon(self) -> None:
        if not self._due:
            self._due = True
            self._loop.call_later(_PAUSE, self._look)

    def _look(self) -> None:
        self._due = False
        found, now = dict.fromkeys(_sockets()), self._loop.time()
        # In the order in which they came; whatever is no connection of ours is remembered as such, too.
        kept = {each: address for each, address in self._known.items() if each in found}
        self._known = kept | {each: self._peer(each) for each in found if each not in kept}
        accepted = {each: address for each, address in self._known.items() if address is not None}
        banned = self._bans.at(now)
        beyond = surplus(accepted, self._share.connections)
        cut = [_ended(each) for each in (*(each for each, address in accepted.items() if address in banned), *beyond)]
        self._cut = {peer: until for peer, until in self._cut.items() if until > now}
        self._cut |= {peer: now + _CUT for peer in cut if peer is not None}
        for address in {accepted[each] for each in beyond} - banned:
            if not self._lines.wait(address, now):
                _LOG.warning("more connections than one client may have", address=str(address))

    def _peer(self, at: _Socket) -> Address | None:
        """None for what was not accepted at *ports*."""
        with suppress(OSError), _duplicate(at) as found:
            if self._ours(found):
                return _place(found).address
        return None

    def _ours(self, found: socket.socket) -> bool:
        return found.family in _FAMILIES and found.getsockname()[1] in self.ports


def filtered(listening: socket.socket, program: bytes) -> None:
    """Have the kernel drop, of what comes to *listening*, what *program* (`bans`) tells it to. Raises OSError."""
    code = ctypes.create_string_buffer(program, len(program))
    # struct sock_fprog: how many instructions, and where.
    listening.setsockopt(
        socket.SOL_SOCKET, _ATTACH_FILTER, struct.pack("HP", len(program) // 8, ctypes.addressof(code))
    )


def _sockets() -> list[_Socket]:
    found: list[_Socket] = []
    for entry in _DESCRIPTORS.iterdir():
        with suppress(OSError):  # closed since
            descriptor = int(entry.name)
            about = os.fstat(descriptor)
            if stat.S_ISSOCK(about.st_mode):
                found.append(_Socket(descriptor, about.st_ino))
    return found


def _duplicate(at: _Socket) -> socket.socket:
    """Raises OSError where the number is another's by now."""
    copy = os.dup(at.descriptor)
    if os.fstat(copy).st_ino != at.inode:
        os.close(copy)
        raise OSError("another one")
    return socket.socket(fileno=copy)


def _ended(at: _Socket) -> Peer | None:
    """Whose connection has come to its end by this."""
    with suppress(OSError), _duplicate(at) as connection:
        peer = _place(connection)
        connection.shutdown(socket.SHUT_RDWR)
        return peer
    return None


def _place(connection: socket.socket) -> Peer:
    """Raises OSError where the client has gone."""
    host, port, *_ = connection.getpeername()
    return Peer(_address(host), port)


def _address(text: str) -> Address:
    found = ip_address(text.partition("%")[0])
    return (found.ipv4_mapped or found) if isinstance(found, IPv6Address) else found
