"""`python -m ca.ceremony`: holds one ceremony. Shell. For `ca.ceremony.child`, not for people.

What is asked comes by standard input, the answer goes to standard output, the log to standard error. Exit status 0
where it has answered, 2 where the environment does not allow it, 1 where something else ended it.
"""

import asyncio
import resource
import sys

import structlog

from ca.ceremony.messages import LARGEST
from ca.ceremony.performing import performed
from kube.client import connected
from proa.ending import ending
from proa.telemetry import configure_logging


def main() -> None:
    # A core would hold the key.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    configure_logging()
    log = structlog.get_logger("ca.ceremony")
    try:
        with ending(log):
            sys.stdout.buffer.write(asyncio.run(_answered(sys.stdin.buffer.read(LARGEST))))
    except Exception as error:
        log.exception("ended", error=str(error))
        sys.exit(1)


async def _answered(asked: bytes) -> bytes:
    async with connected() as client:
        return await performed(asked, client)


if __name__ == "__main__":
    main()
