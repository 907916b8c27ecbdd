"""A filter on this process's calls of the system, and on those of whatever program it becomes (seccomp(2))."""

import ctypes
import platform
import struct
from collections.abc import Iterable

NUMBERS = {
    "x86_64": {"sendto": 44, "socket": 41, "seccomp": 317},
    "aarch64": {"sendto": 206, "socket": 198, "seccomp": 277},
}
"""Of the calls, by machine."""
CALL = NUMBERS[platform.machine()]
LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06
ALLOW = 0x7FFF0000
NUMBER_OF_CALL, FIRST_ARGUMENT, THIRD_ARGUMENT = 0, 16, 32
"""Offsets in struct seccomp_data (linux/seccomp.h)."""
_SET_MODE_FILTER = 1


def set_filter(lines: Iterable[tuple[int, int, int, int]], flags: int = 0) -> int:
    """Of *lines* of classic BPF: code, steps where it is so, steps where not, operand. What the kernel answers."""
    program = b"".join(struct.pack("HBBI", *line) for line in lines)
    kept = ctypes.create_string_buffer(program)
    given = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(kept)))
    libc = ctypes.CDLL(None, use_errno=True)
    made: int = libc.syscall(CALL["seccomp"], _SET_MODE_FILTER, flags, given)
    if made < 0:
        raise OSError(ctypes.get_errno(), "no filter can be set")
    return made
