"""Has calls that come close together answered one after the other, and not each between the bytes of others. Shell.

What a certificate takes and what the library takes for a call push each other out of the processor's caches: in turns
they cost twice of what each does in a row (docs/decisions/0030).
"""

import asyncio
from collections import deque
from math import inf
from time import monotonic
from typing import Final

ALONE: Final = 0.001
"""Seconds since the last one went on after which the next one waits for nobody."""
GATHERED: Final = 0.002
"""Seconds since then until those who came sooner go on together."""
MOST: Final = 16
"""In a row: a few milliseconds, in which the event loop does nothing else."""


class Turns:
    def __init__(self, alone: float = ALONE, gathered: float = GATHERED, most: int = MOST) -> None:
        self._alone, self._gathered, self._most = alone, gathered, most
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._last = -inf

    async def turn(self) -> None:
        """Return when it is the caller's turn. What it does until it waits for something is done in its row."""
        now = monotonic()
        if not self._waiting and now - self._last >= self._alone:
            self._last = now
            return
        loop = asyncio.get_running_loop()
        mine = loop.create_future()
        self._waiting.append(mine)
        if len(self._waiting) == 1:
            loop.call_later(max(self._last + self._gathered - now, 0.0), self._row, loop)
        await mine

    def _row(self, loop: asyncio.AbstractEventLoop) -> None:
        self._last = monotonic()
        for _ in range(min(self._most, len(self._waiting))):
            each = self._waiting.popleft()
            if not each.done():
                each.set_result(None)
        if self._waiting:
            loop.call_soon(self._row, loop)
