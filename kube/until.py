"""Does something until it is done or the process is told to stop, whichever comes first. Shell."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def until(stopping: asyncio.Event, work: Coroutine[Any, Any, T]) -> T | None:
    """What *work* returns, or None if it was cancelled because *stopping* was set first. Raises what *work* raises."""
    doing = asyncio.ensure_future(work)
    waiting = asyncio.ensure_future(stopping.wait())
    try:
        await asyncio.wait({doing, waiting}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await cancelled(doing, waiting)
    return None if doing.cancelled() else doing.result()


async def cancelled(*tasks: "asyncio.Future[Any]") -> None:
    """Cancel *tasks* and wait for their end. What they raise is theirs to tell: ask them."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
