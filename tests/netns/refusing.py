"""Runs a command, one of whose messages to the kernel is refused: of its sendto(2) calls of LENGTH bytes, the NUMBERth.

    refusing.py LENGTH NUMBER COMMAND…

The kernel asks this process about each such call (seccomp_unotify(2)), of whatever program the command is.
"""

import errno
import fcntl
import os
import select
import socket
import struct
import sys

from seccomp import ALLOW, CALL, EQUAL, LOAD, NUMBER_OF_CALL, RETURN, THIRD_ARGUMENT, set_filter

NEW_LISTENER, ASK = 8, 0x7FC00000
RECEIVE, ANSWER, CONTINUE = 0xC0502100, 0xC0182101, 1


def listener(length: int) -> int:
    """Open once this process' own calls are asked about."""
    lines = (
        (LOAD, 0, 0, NUMBER_OF_CALL),
        (EQUAL, 0, 3, CALL["sendto"]),
        (LOAD, 0, 0, THIRD_ARGUMENT),
        (EQUAL, 0, 1, length),
        (RETURN, 0, 0, ASK),
        (RETURN, 0, 0, ALLOW),
    )
    return set_filter(lines, NEW_LISTENER)


def answer(asking: int, number: int) -> None:
    """Until nobody is left who could ask."""
    told = select.poll()
    told.register(asking, select.POLLIN)
    seen = 0
    while told.poll()[0][1] & select.POLLIN:
        asked = bytearray(80)
        fcntl.ioctl(asking, RECEIVE, asked)
        seen += 1
        error, flags = (-errno.ENOMEM, 0) if seen == number else (0, CONTINUE)
        fcntl.ioctl(asking, ANSWER, struct.pack("QqiI", struct.unpack_from("Q", asked)[0], 0, error, flags))


def main() -> int:
    length, number, *command = sys.argv[1:]
    ours, theirs = socket.socketpair()
    child = os.fork()
    if not child:
        socket.send_fds(theirs, [b"."], [listener(int(length))])
        os.execvp(command[0], command)  # noqa: S606 - what is tested
    theirs.close()
    _, [asking], _, _ = socket.recv_fds(ours, 1, 1)
    answer(asking, int(number))
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    sys.exit(main())
