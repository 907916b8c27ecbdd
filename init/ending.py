"""Ends in order where it is told to end: what was begun is taken back. Shell."""

from __future__ import annotations

import signal
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

_TERMINATED: Final = 128 + signal.SIGTERM


def end_when_told() -> None:
    """By SIGTERM as by an exception."""
    signal.signal(signal.SIGTERM, _end)


def _end(_signal: int, _frame: object) -> None:
    sys.exit(_TERMINATED)
