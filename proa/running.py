"""One way to run services and stop them: a signal asks, a grace period bounds, no failure is hidden. Shell."""

import asyncio
import signal
from collections.abc import Callable, Coroutine
from typing import Any, TypeAlias

Service: TypeAlias = Callable[[asyncio.Event], Coroutine[Any, Any, None]]
"""Serves until the event is set, then drains and returns."""


async def run_until_stopped(*services: Service, grace: float = 20.0) -> None:
    """Run *services* until a signal, or until one of them ends; then give the others *grace* seconds to drain.

    A service that fails stops the others and its error is raised; one that outlives its grace is cancelled
    and TimeoutError raised. Keep *grace* below the pod's terminationGracePeriodSeconds.
    """
    stopping, loop = asyncio.Event(), asyncio.get_running_loop()
    signals = (signal.SIGTERM, signal.SIGINT)
    for signum in signals:
        loop.add_signal_handler(signum, stopping.set)
    try:
        async with asyncio.timeout(None) as deadline, asyncio.TaskGroup() as group:
            for service in services:
                group.create_task(_supervise(service, stopping))
            await stopping.wait()
            deadline.reschedule(loop.time() + grace)
    finally:
        for signum in signals:
            loop.remove_signal_handler(signum)


async def _supervise(service: Service, stopping: asyncio.Event) -> None:
    try:
        await service(stopping)
    finally:
        stopping.set()
