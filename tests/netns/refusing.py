"""Runs a command, one of whose messages to the kernel is refused: of its sendto(2) calls of LENGTH bytes, the NUMBERth.

    refusing.py LENGTH NUMBER COMMAND…

The kernel asks this process about each such call (seccomp_unotify(2)), of whatever program the command is.
"""

import ctypes
import errno
import fcntl
import os
import platform
import select
import socket
import struct
import sys

SENDTO, SECCOMP = {"x86_64": (44, 317), "aarch64": (206, 277)}[platform.machine()]
SET_MODE_FILTER, NEW_LISTENER = 1, 8
RECEIVE, ANSWER, CONTINUE = 0xC0502100, 0xC0182101, 1
LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06
ASK, ALLOW = 0x7FC00000, 0x7FFF0000
NUMBER_OF_CALL, THIRD_ARGUMENT = 0, 32
"""Offsets in struct seccomp_data (linux/seccomp.h)."""


def listener(length: int) -> int:
    """Open once this process' own calls are asked about."""
    program = b"".join(
        struct.pack("HBBI", *line)
        for line in (
            (LOAD, 0, 0, NUMBER_OF_CALL),
            (EQUAL, 0, 3, SENDTO),
            (LOAD, 0, 0, THIRD_ARGUMENT),
            (EQUAL, 0, 1, length),
            (RETURN, 0, 0, ASK),
            (RETURN, 0, 0, ALLOW),
        )
    )
    kept = ctypes.create_string_buffer(program)
    given = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(kept)))
    libc = ctypes.CDLL(None, use_errno=True)
    made: int = libc.syscall(SECCOMP, SET_MODE_FILTER, NEW_LISTENER, given)
    if made < 0:
        raise OSError(ctypes.get_errno(), "no filter can be set")
    return made


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
