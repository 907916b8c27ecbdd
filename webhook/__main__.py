"""`proa-webhook`, also `python -m webhook`: answers the API server until a signal. Shell.

Exit status 0 after a signal, 2 where the environment does not allow it, 1 where something else ended it.
"""

import asyncio
import gc
import os
import socket

import structlog
import uvloop

from proa.ending import ending
from proa.telemetry import configure_logging
from webhook.process import serve
from webhook.settings import settings


def main() -> None:
    configure_logging()
    gc.freeze()  # what was imported stays: to look through it takes 40 milliseconds, in which no pod is answered
    with (
        ending(structlog.get_logger("webhook")),
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        runner.run(serve(settings(os.environ, socket.gethostname())))


if __name__ == "__main__":
    main()
