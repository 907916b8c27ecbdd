"""Opens the connections of init.probes and looks where they arrive. Shell: as root, before the proxy listens.

Listens at the proxy's ports itself. Each connection is opened by a child, with the user and group it is about.
"""

from __future__ import annotations

import errno
import os
import select
import socket
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Final

from init.failures import NotProvable
from init.fate import Captured, Direct, Dropped, Rejected
from init.probes import NOWHERE, probes
from proa.capture.networks import family_of
from proa.capture.values import Value

if TYPE_CHECKING:
    from collections.abc import Iterator

    from init.fate import Fate, First, Sender
    from init.probes import Probe
    from proa.capture.interception import Interception

_PATIENCE: Final = 0.3
"""Seconds after which a connection that was dialled counts as captured by nobody."""
_LONGEST: Final = 10.0
"""Seconds until it is dialled: on a busy machine the child is given no processor for a while."""
_SO_ORIGINAL_DST: Final = 80
"""linux/netfilter_ipv4.h; the same number for IPv6."""
_UNREACHABLE: Final = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL})
_NO_IDS: Final = 0xFFFF
_FAMILIES: Final = {4: socket.AF_INET, 6: socket.AF_INET6}


class Shown(Value):
    """A probe by its name; *words* say in what its outcome differs, or nothing."""

    name: str
    words: str


def prove(wanted: Interception) -> tuple[Shown, ...]:
    """Every probe that the pod's addresses and routes allow. Raises KernelRefused if nothing can be tried."""
    with ExitStack() as stack:
        listening = [stack.enter_context(each) for each in listeners(wanted)]
        shown = tuple(Shown(probe.name, _tried(probe, listening)) for probe in probes(wanted, dict(own_addresses())))
    if not shown:
        raise NotProvable("the pod has no address of its own and no route")
    return shown


def own_addresses() -> Iterator[tuple[int, str]]:
    """By family, the address with which the pod would dial the outside."""
    for number, family in _FAMILIES.items():
        with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((NOWHERE[number], 9))
            yield number, probe.getsockname()[0]


def listeners(wanted: Interception) -> Iterator[socket.socket]:
    """In the proxy's place. Raises NotProvable."""
    try:
        for family in _FAMILIES.values() if socket.has_ipv6 else (socket.AF_INET,):
            anywhere = "::" if family == socket.AF_INET6 else "0.0.0.0"  # noqa: S104 - in the pod's own namespace
            for port in (wanted.outbound_port, wanted.inbound_port):
                yield _listener(family, socket.SOCK_STREAM, anywhere, port)
            loopback = "::1" if family == socket.AF_INET6 else "127.0.0.1"
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                yield _listener(family, kind, loopback, wanted.dns_port)
    except OSError as error:
        raise NotProvable(f"the proxy's ports cannot be listened at: {error.strerror}") from error


def _listener(family: socket.AddressFamily, kind: socket.SocketKind, host: str, port: int) -> socket.socket:
    listener = socket.socket(family, kind)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind((host, port))
        if kind == socket.SOCK_STREAM:
            listener.listen(16)
        listener.settimeout(0)
    except OSError:
        listener.close()
        raise
    return listener


def _tried(probe: Probe, listening: list[socket.socket]) -> str:
    """What differs from what was expected; nothing if nothing does."""
    try:
        found, meant = seen(probe.first, listening)
    except OSError as error:
        if error.errno in _UNREACHABLE:
            return ""  # the pod has no way there, with or without interception
        lost = isinstance(probe.expected, Dropped | Rejected) and error.errno == errno.EPERM
        return "" if lost else f"not tried: {error.strerror}"
    match probe.expected, found:
        case Captured(port), Captured(at) if port == at:
            there = f"{probe.first.destination} {probe.first.port}"
            return "" if meant in {there, ""} else f"the proxy is told {meant} instead of {there}"
        case Direct() | Dropped() | Rejected(), Direct():
            return ""
        case expected, _:
            return f"expected {_named(expected)}, found {_named(found)}"


def seen(first: First, listening: list[socket.socket]) -> tuple[Fate, str]:
    """Where it arrived, and where the kernel says it was meant to go. Raises OSError of the one who dialled."""
    child, answers = dialling(first)
    try:
        select.select([*(each.fileno() for each in listening), answers], [], [], _LONGEST)
        ready, _, _ = select.select(listening, [], [], 0)
        if not ready:
            number = _told(answers)
            # What stands, or was sent, may be on its way still; what came to nothing is not.
            ready, _, _ = select.select(listening, [], [], 0 if number else _PATIENCE)
            if not ready and (failed := _failed(number)):
                raise OSError(failed, os.strerror(failed))
        return _arrived(ready[0], first) if ready else (Direct(), "")
    finally:
        os.close(answers)
        os.kill(child, 9)
        os.waitpid(child, 0)


def _arrived(listener: socket.socket, first: First) -> tuple[Fate, str]:
    port: int = listener.getsockname()[1]
    if listener.type == socket.SOCK_DGRAM:
        listener.recv(64)
        return Captured(port), ""
    connection, _ = listener.accept()
    with connection:
        return Captured(port), _meant(connection, first)


def _meant(connection: socket.socket, first: First) -> str:
    if family_of(first.destination) == 4:
        raw = connection.getsockopt(socket.SOL_IP, _SO_ORIGINAL_DST, 16)
        return f"{socket.inet_ntop(socket.AF_INET, raw[4:8])} {int.from_bytes(raw[2:4], 'big')}"
    raw = connection.getsockopt(socket.IPPROTO_IPV6, _SO_ORIGINAL_DST, 28)
    return f"{socket.inet_ntop(socket.AF_INET6, raw[8:24])} {int.from_bytes(raw[2:4], 'big')}"


def dialling(first: First) -> tuple[int, int]:
    """A child that dials until it is killed; and a pipe on which it says the number of its error."""
    reading, writing = os.pipe()
    child = os.fork()
    if child:
        os.close(writing)
        return child, reading
    os.write(writing, _outcome(first).to_bytes(2, "big"))
    os._exit(0)


def _outcome(first: First) -> int:
    """The number of the error, 0 for none, or that the ids could not be had."""
    try:
        if first.sender:
            _become(first.sender)
    except OSError:
        return _NO_IDS
    try:
        _dial(first)
    except OSError as error:
        return error.errno or errno.ETIMEDOUT  # socket.timeout bears none
    return 0


def _dial(first: First) -> None:
    family = _FAMILIES[family_of(first.destination)]
    with socket.socket(family, socket.SOCK_DGRAM if first.protocol == "udp" else socket.SOCK_STREAM) as client:
        client.settimeout(_PATIENCE)
        client.connect((first.destination, first.port))
        if first.protocol == "udp":
            client.send(b"proa")


def _become(sender: Sender) -> None:
    if (os.getuid(), os.getgid()) == (sender.uid, sender.gid):
        return  # nobody else's groups matter: a socket's owner has one of each
    os.setgroups([])
    os.setgid(sender.gid)
    os.setuid(sender.uid)


def failure(answers: int) -> int:
    """The child's error, if it said one that is not of a connection that went out and came to nothing.

    Raises NotProvable.
    """
    return _failed(_told(answers))


def _told(answers: int) -> int:
    """What the child says, once it has dialled."""
    ready, _, _ = select.select([answers], [], [], _LONGEST)
    return int.from_bytes(os.read(answers, 2), "big") if ready else 0


def _failed(number: int) -> int:
    if number == _NO_IDS:
        raise NotProvable("connections cannot be opened as other users: it takes CAP_SETUID and CAP_SETGID")
    return 0 if number in {errno.ECONNREFUSED, errno.ECONNRESET, errno.ETIMEDOUT} else number


def _named(fate: Fate) -> str:
    match fate:
        case Captured(port):
            return f"the proxy's port {port}"
        case _:
            return "not the proxy"
