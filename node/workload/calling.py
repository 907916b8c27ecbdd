"""The process that opened a connection, by the kernel's word. Shell: what its control groups mean, `attestation` says.

Its number alone would not do: a process may hand its connection on and end, and its number goes to another one, of
another pod perhaps. A pidfd (SO_PEERPIDFD, Linux 6.5) stands for the one process, for as long as it is held.
"""

import os
import re
import select
import socket
from pathlib import Path
from typing import Final, Self

from node.readable import readable

_SO_PEERPIDFD: Final = 77
"""asm-generic/socket.h; Python has no name for it yet."""
_OWN: Final = Path("/proc/self/fdinfo")
_PID: Final = re.compile(r"^Pid:\s*(\d+)$", re.MULTILINE)


def is_known_to_the_kernel() -> bool:
    """Whether this kernel has SO_PEERPIDFD."""
    here, there = socket.socketpair()
    with here, there:
        try:
            with Caller(here):
                return True
        except OSError:
            return False


class Caller:
    """Who is at the other end of *connection*. Raises OSError where the kernel does not say."""

    def __init__(self, connection: socket.socket, proc: Path = Path("/proc")) -> None:
        self._number = connection.getsockopt(socket.SOL_SOCKET, _SO_PEERPIDFD)
        self._proc = proc

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._number)

    async def ended(self) -> None:
        """Until the process has ended."""
        await readable(self._number)

    def groups(self) -> str | None:
        """Its /proc/PID/cgroup; None if it has ended."""
        found = _PID.search((_OWN / str(self._number)).read_text())
        if found is None or found[1] == "0":  # -1: it has been reaped; 0: of no namespace of processes that we see
            return None
        try:
            groups = (self._proc / found[1] / "cgroup").read_text()
        except (FileNotFoundError, ProcessLookupError):
            return None
        # Looked at afterwards: while it has not ended, its number was nobody else's.
        return None if self._has_ended() else groups

    def _has_ended(self) -> bool:
        poll = select.poll()
        poll.register(self._number, select.POLLIN)
        return bool(poll.poll(0))
