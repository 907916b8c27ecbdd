"""`python -m ca.ceremony`: holds one ceremony. Shell. For `ca.ceremony.child`, not for people.

What is asked comes by standard input, the answer goes to standard output, the log to standard error. Exit status 0
where it has answered, 2 where the environment does not allow it, 1 where something else ended it.
"""

import asyncio
import ctypes
import resource
import sys
from typing import Final

import structlog

from ca.ceremony.messages import LARGEST
from ca.ceremony.performing import performed
from kube.client import connected
from proa.ending import ending
from proa.telemetry import configure_logging

_PR_SET_DUMPABLE: Final = 4
"""linux/prctl.h."""


def main() -> None:
    keep_memory()
    configure_logging()
    log = structlog.get_logger("ca.ceremony")
    try:
        with ending(log):
            sys.stdout.buffer.write(asyncio.run(_answered(sys.stdin.buffer.read(LARGEST))))
    except Exception as error:
        log.exception("ended", error=str(error))
        sys.exit(1)


def keep_memory() -> None:
    """No core dump, and no reader of /proc/PID/mem of the same user: the key is there. A limit of the size of cores
    does not keep the kernel from handing them to a program (core(5)); not to be dumpable does (prctl(2))."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_DUMPABLE)")


async def _answered(asked: bytes) -> bytes:
    async with connected() as client:
        return await performed(asked, client)


if __name__ == "__main__":
    main()
