"""Every way in which services end. Nothing sleeps: a service waits for an event, or for ever."""

import asyncio
import os
import signal

import pytest

from proa.running import Service, run_until_stopped

NEVER = 3600.0


class Diary:
    """Services that write down what became of them."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.serving = asyncio.Event()

    async def draining(self, stopping: asyncio.Event) -> None:
        self.serving.set()
        await stopping.wait()
        await asyncio.sleep(0)
        self.lines.append("drained")

    async def stubborn(self, stopping: asyncio.Event) -> None:
        await stopping.wait()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.lines.append("cancelled")
            raise

    async def short(self, stopping: asyncio.Event) -> None:
        assert not stopping.is_set()
        self.lines.append("ended")


def failing(error: Exception) -> Service:
    async def service(_: asyncio.Event) -> None:
        raise error

    return service


def signalling(signum: signal.Signals, serving: asyncio.Event) -> Service:
    async def service(stopping: asyncio.Event) -> None:
        await serving.wait()
        os.kill(os.getpid(), signum)
        await stopping.wait()

    return service


def handled(signum: signal.Signals) -> bool:
    return signal.getsignal(signum) not in (signal.SIG_DFL, signal.default_int_handler)


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_lets_services_drain(signum: signal.Signals) -> None:
    diary = Diary()
    await run_until_stopped(diary.draining, signalling(signum, diary.serving), grace=NEVER)
    assert diary.lines == ["drained"]


async def test_a_service_that_ends_early_stops_the_others() -> None:
    diary = Diary()
    await run_until_stopped(diary.draining, diary.short, diary.draining, grace=NEVER)
    assert diary.lines == ["ended", "drained", "drained"]


async def test_a_service_that_fails_stops_the_others_and_its_error_is_raised() -> None:
    diary, error = Diary(), OSError("the port is taken")
    with pytest.raises(ExceptionGroup) as raised:
        await run_until_stopped(diary.draining, failing(error), diary.draining, grace=NEVER)
    assert raised.value.exceptions == (error,)
    assert diary.lines == ["drained", "drained"]


async def test_services_that_fail_together_are_all_told() -> None:
    errors = (OSError("one"), ValueError("two"))
    with pytest.raises(ExceptionGroup) as raised:
        await run_until_stopped(*map(failing, errors), grace=NEVER)
    assert raised.value.exceptions == errors


async def test_a_failure_while_draining_is_not_hidden() -> None:
    diary, error = Diary(), ValueError("half drained")

    async def fails_late(stopping: asyncio.Event) -> None:
        await stopping.wait()
        raise error

    with pytest.raises(ExceptionGroup) as raised:
        await run_until_stopped(diary.short, fails_late, grace=NEVER)
    assert raised.value.exceptions == (error,)


async def test_a_service_that_outlives_its_grace_is_cancelled() -> None:
    diary = Diary()
    with pytest.raises(TimeoutError):
        await run_until_stopped(diary.short, diary.stubborn, diary.draining, grace=0.01)
    assert sorted(diary.lines) == ["cancelled", "drained", "ended"]


async def test_a_failure_and_an_outlived_grace_are_both_told() -> None:
    """Left to the task group, the failure would cancel the stubborn one and the grace would never begin."""
    diary, error = Diary(), OSError("the port is taken")
    with pytest.raises(ExceptionGroup) as raised:
        await run_until_stopped(failing(error), diary.stubborn, grace=0.01)
    assert error in raised.value.exceptions
    assert [type(each) for each in raised.value.exceptions] == [OSError, TimeoutError]
    assert diary.lines == ["cancelled"]


async def test_a_cancellation_from_outside_stops_every_service() -> None:
    diary = Diary()
    running = asyncio.create_task(run_until_stopped(diary.draining, diary.draining, grace=NEVER))
    await diary.serving.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert not handled(signal.SIGTERM)


@pytest.mark.parametrize("ending", ["well", "badly"])
async def test_signals_are_the_processes_own_again_afterwards(ending: str) -> None:
    diary = Diary()
    during: list[bool] = []

    async def service(_: asyncio.Event) -> None:
        during.append(handled(signal.SIGTERM))
        if ending == "badly":
            raise OSError

    if ending == "badly":
        with pytest.raises(ExceptionGroup):
            await run_until_stopped(service, diary.draining, grace=NEVER)
    else:
        await run_until_stopped(service, diary.draining, grace=NEVER)
    assert during == [True]
    assert not handled(signal.SIGTERM)
    assert not handled(signal.SIGINT)
