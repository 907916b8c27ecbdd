"""Ports for processes under test."""

import socket
from contextlib import ExitStack


def free_ports(count: int) -> list[int]:
    """Of this machine, different ones; another process may take one before it is used."""
    with ExitStack() as held:
        return [held.enter_context(socket.create_server(("", 0))).getsockname()[1] for _ in range(count)]
