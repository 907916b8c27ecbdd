"""One way to run services and stop them: a signal asks, a grace period bounds, no failure is hidden. Shell."""

import asyncio
import signal
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeAlias

Service: TypeAlias = Callable[[asyncio.Event], Coroutine[Any, Any, None]]
"""Serves until the event is set, then drains and returns."""

LAG_SECONDS: Final = 5.0
"""How long a server that is told to stop serves on: endpoints, and the connections of its clients, are that late."""


async def run_until_stopped(*services: Service, grace: float = 20.0) -> None:
    """Run *services* until a signal, or until one of them ends; then give the others *grace* seconds to drain.

    A service that fails stops the others in the same way, and an ExceptionGroup of all failures is raised. One that
    outlives its grace is cancelled and TimeoutError raised, alone or in that group. Keep *grace* below the pod's
    terminationGracePeriodSeconds.
    """
    stopping, loop = asyncio.Event(), asyncio.get_running_loop()
    failures: list[Exception] = []
    signals = (signal.SIGTERM, signal.SIGINT)
    for signum in signals:
        loop.add_signal_handler(signum, stopping.set)
    try:
        async with asyncio.timeout(None) as deadline, asyncio.TaskGroup() as group:
            for service in services:
                group.create_task(_supervise(service, stopping, failures))
            await stopping.wait()
            deadline.reschedule(loop.time() + grace)
    except TimeoutError as late:
        if not failures:
            raise
        failures.append(late)
    finally:
        for signum in signals:
            loop.remove_signal_handler(signum)
    if failures:
        raise ExceptionGroup("services failed", failures)


async def _supervise(service: Service, stopping: asyncio.Event, failures: list[Exception]) -> None:
    # Not left to the task group: it would cancel the others instead of letting them drain.
    try:
        await service(stopping)
    except Exception as error:  # noqa: BLE001 - raised by run_until_stopped, when all have stopped
        failures.append(error)
    finally:
        stopping.set()
