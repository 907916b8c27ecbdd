"""`proa-ca`, also `python -m ca`: runs the certificate authority until a signal. Shell.

Exit status 0 after a signal, 2 where the environment does not allow it, 1 where something else ended it.
"""

import asyncio
import gc
import os
import socket

import structlog
import uvloop

from ca.process import serve
from ca.settings import settings
from proa.ending import ending
from proa.telemetry import configure_logging


def main() -> None:
    configure_logging()
    gc.freeze()  # what was imported stays: to look through it takes tens of milliseconds, in which nobody is answered
    with (
        ending(structlog.get_logger("ca")),
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        runner.run(serve(settings(os.environ, socket.gethostname())))


if __name__ == "__main__":
    main()
