"""`proa-node`, also `python -m node`: runs the node agent until a signal; `proa-node remove` undoes its work. Shell.

Exit status 0 after a signal or when nothing is left on the node, 2 where the environment does not allow it, 1 where
something else ended it.
"""

import asyncio
import os
import sys

import structlog
import uvloop

from node.process import installer, serve
from node.settings import settings
from proa.ending import ending
from proa.errors import Invalid, shown
from proa.telemetry import configure_logging


def main() -> None:
    configure_logging()
    log = structlog.get_logger("node")
    try:
        with ending(log):
            _run(sys.argv[1:])
    except OSError as error:
        log.critical("failed", error=str(error))
        sys.exit(1)


def _run(arguments: list[str]) -> None:
    told = settings(os.environ)
    match arguments:
        case []:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(serve(told))
        case ["remove"]:
            installer(told).remove()
            structlog.get_logger("node").info("removed")
        case _:
            raise Invalid("argument", shown(" ".join(arguments)), "none, or remove")


if __name__ == "__main__":
    main()
