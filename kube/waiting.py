"""Waiting for news, for the end, or for some time. Shell."""

import asyncio


async def waited(stopping: asyncio.Event, news: asyncio.Event, seconds: float | None = None) -> None:
    """Return once either is set, or after *seconds*; *news* is cleared."""
    waiting = [asyncio.ensure_future(each.wait()) for each in (stopping, news)]
    try:
        await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for each in waiting:
            each.cancel()
    news.clear()
