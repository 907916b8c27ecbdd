"""Waits until somebody else has programmed this network namespace. Shell: as anybody, without a capability.

The proxy's ports are listened at meanwhile, and this process' own connections are what must arrive there.
"""

from __future__ import annotations

import os
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

from init.ending import end_when_told
from init.failures import NothingToShow, unprogrammed
from init.fate import Captured, Sender
from init.probes import telling
from init.proving import listeners, own_addresses, seen

if TYPE_CHECKING:
    import socket

    from init.probes import Probe
    from proa.capture.interception import Interception

_PAUSE: Final = 0.2
"""Seconds after a connection that did not arrive, or could not even be tried."""


def awaited(wanted: Interception, seconds: int) -> tuple[str, ...]:
    """The names of the connections that showed it, within *seconds*. Raises KernelRefused."""
    # A container's first process ends by no signal that it does not handle, and would take the pod's grace period.
    end_when_told()
    me = Sender(os.getuid(), os.getgid())
    found = telling(wanted, dict(own_addresses()), me)
    if not found:
        raise NothingToShow(f"no connection of user {me.uid} and group {me.gid} would show that the pod is intercepted")
    with ExitStack() as stack:
        listening = [stack.enter_context(each) for each in listeners(wanted)]
        _wait(found, listening, seconds)
    return tuple(each.name for each in found)


def _wait(probes: tuple[Probe, ...], listening: list[socket.socket], seconds: int) -> None:
    end = time.monotonic() + seconds
    waiting = list(probes)
    while waiting:
        if _arrives(waiting[0], listening):
            waiting.pop(0)
        elif time.monotonic() >= end:
            raise unprogrammed(seconds, tuple(each.name for each in waiting))
        else:
            time.sleep(_PAUSE)


def _arrives(probe: Probe, listening: list[socket.socket]) -> bool:
    try:
        found, meant = seen(probe.first, listening)
    except OSError:
        return False
    there = f"{probe.first.destination} {probe.first.port}"
    return isinstance(found, Captured) and found == probe.expected and meant == there
