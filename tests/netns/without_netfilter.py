"""Runs a command on a kernel that has no sockets of netfilter's, as one without nfnetlink.

    without_netfilter.py COMMAND…

socket(2) answers so by seccomp(2), of whatever program the command is.
"""

import ctypes
import errno
import os
import platform
import struct
import sys

SOCKET, SECCOMP = {"x86_64": (41, 317), "aarch64": (198, 277)}[platform.machine()]
SET_MODE_FILTER, NETLINK, NETFILTER = 1, 16, 12
LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06
REFUSE, ALLOW = 0x50000 | errno.EPROTONOSUPPORT, 0x7FFF0000
NUMBER_OF_CALL, FIRST_ARGUMENT, THIRD_ARGUMENT = 0, 16, 32
"""Offsets in struct seccomp_data (linux/seccomp.h)."""


def main() -> None:
    program = b"".join(
        struct.pack("HBBI", *line)
        for line in (
            (LOAD, 0, 0, NUMBER_OF_CALL),
            (EQUAL, 0, 5, SOCKET),
            (LOAD, 0, 0, FIRST_ARGUMENT),
            (EQUAL, 0, 3, NETLINK),
            (LOAD, 0, 0, THIRD_ARGUMENT),
            (EQUAL, 0, 1, NETFILTER),
            (RETURN, 0, 0, REFUSE),
            (RETURN, 0, 0, ALLOW),
        )
    )
    kept = ctypes.create_string_buffer(program)
    given = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(kept)))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(SECCOMP, SET_MODE_FILTER, 0, given):
        raise OSError(ctypes.get_errno(), "no filter can be set")
    os.execvp(sys.argv[1], sys.argv[1:])  # noqa: S606 - what is tested


if __name__ == "__main__":
    main()
