"""Runs a command on a kernel that has no sockets of netfilter's, as one without nfnetlink.

    without_netfilter.py COMMAND…

socket(2) answers so by seccomp(2), of whatever program the command is.
"""

import errno
import os
import sys

from seccomp import ALLOW, CALL, EQUAL, FIRST_ARGUMENT, LOAD, NUMBER_OF_CALL, RETURN, THIRD_ARGUMENT, set_filter

NETLINK, NETFILTER = 16, 12
REFUSE = 0x50000 | errno.EPROTONOSUPPORT


def main() -> None:
    set_filter(
        (
            (LOAD, 0, 0, NUMBER_OF_CALL),
            (EQUAL, 0, 5, CALL["socket"]),
            (LOAD, 0, 0, FIRST_ARGUMENT),
            (EQUAL, 0, 3, NETLINK),
            (LOAD, 0, 0, THIRD_ARGUMENT),
            (EQUAL, 0, 1, NETFILTER),
            (RETURN, 0, 0, REFUSE),
            (RETURN, 0, 0, ALLOW),
        )
    )
    os.execvp(sys.argv[1], sys.argv[1:])  # noqa: S606 - what is tested


if __name__ == "__main__":
    main()
