"""How a process of Proa's ends: by which exit status, and with which line of its log. Shell."""

import sys
from collections.abc import Generator
from contextlib import contextmanager

import structlog

from proa.errors import ProaError


@contextmanager
def ending(log: structlog.typing.FilteringBoundLogger) -> Generator[None]:
    """Exit with 2 where the environment does not allow what is done within, with 1 where services failed."""
    try:
        yield
    except ProaError as error:
        log.critical("not usable", code=error.code, error=str(error))
        sys.exit(2)
    except ExceptionGroup as failures:
        log.exception("ended", error=str(failures))
        sys.exit(1)
