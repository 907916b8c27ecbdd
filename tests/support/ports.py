"""Ports for processes under test."""

import random
import socket
from contextlib import ExitStack, suppress
from typing import Final

_OURS: Final = range(10_000, 30_000)
"""Below those of which the kernel gives one to whoever asks for any (net.ipv4.ip_local_port_range)."""


def free_ports(count: int) -> list[int]:
    """Of this machine, different ones. Nobody is given one before it is used, or while its user is away: it would take
    somebody who chose the same.
    """
    # Workers of one run may have one seed.
    chosen = random.SystemRandom()
    found: list[int] = []
    with ExitStack() as held:
        while len(found) < count:
            with suppress(OSError):
                held.enter_context(socket.create_server(("", port := chosen.choice(_OURS))))
                found.append(port)
    return found
