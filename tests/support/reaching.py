"""Waits for what another task or process brings about, and fails if it does not."""

import asyncio
from collections.abc import Callable
from typing import Any


async def reached(condition: Callable[[], Any], seconds: float = 30) -> None:
    """Return as soon as *condition* is true. Raises TimeoutError if it is not within *seconds*."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - what is waited for knows of no event
            await asyncio.sleep(0.01)
