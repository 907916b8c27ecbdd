"""Namespaces of a benchmark's own, and programs in them. Imports little: a child's peak is its parent's at least."""

import ctypes
import os
import sys

CLONE_NEWNET = 0x40000000


def unshare() -> None:
    """Move this process into a new network namespace, with `lo` up as a container runtime leaves it."""
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET):
        sys.exit(f"a network namespace needs root: {os.strerror(ctypes.get_errno())}")
    ip("link set lo up")


def ip(command: str) -> None:
    quietly("ip", *command.split())


def quietly(*command: str) -> None:
    """Ends the process if *command* fails."""
    child = os.posix_spawnp(command[0], command, os.environ, file_actions=UNSEEN)
    if status := os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]):
        sys.exit(f"{' '.join(command)[:200]} failed with {status}")


UNSEEN = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_WRONLY, 0) for number in (1, 2)]
"""posix_spawn's file actions for a program whose output nobody reads."""
