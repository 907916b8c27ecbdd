"""What the authority told last, asked for again once it is old, by one question whoever waits for it. Shell."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Generic, TypeVar

from ca.istio.verdict import Code
from node.workload.attestation import WorkloadRefused
from proa.clock import Clock

T = TypeVar("T")

_PAUSE: Final = timedelta(seconds=1)
"""For which a refusal is told again without asking: pods that call in a loop are no load for the authority."""


@dataclass(frozen=True, slots=True)
class Ages:
    """It is asked for *again* after that, and *kept* for that while the authority is away; None is for ever, whatever
    becomes of the clock."""

    again: timedelta
    kept: timedelta | None = None


@dataclass(frozen=True, slots=True)
class _Held(Generic[T]):
    value: T
    told: datetime
    asked: datetime


class Kept(Generic[T]):
    """*asks* raises WorkloadRefused. With UNIMPLEMENTED *otherwise* is the answer, if one is given and nothing was told
    before: of replicas of two versions one does not know what the other one has told."""

    def __init__(self, asks: Callable[[], Awaitable[T]], clock: Clock, ages: Ages, otherwise: T | None = None) -> None:
        self._asks, self._clock, self._ages, self._otherwise = asks, clock, ages, otherwise
        self._held: _Held[T] | None = None
        self._refused: tuple[datetime, WorkloadRefused] | None = None
        self._asking: asyncio.Task[T] | None = None

    async def now(self) -> T:
        """Raises WorkloadRefused."""
        held = self._present()
        if held is not None and _is_within(self._ages.again, held.asked, self._clock()):
            return held.value
        if self._refused and _is_within(_PAUSE, self._refused[0], self._clock()):
            raise replace(self._refused[1])
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._asked())
            # Who asked may have gone, and nobody else waits.
            self._asking.add_done_callback(lambda done: done.cancelled() or done.exception())
        return await asyncio.shield(self._asking)

    async def _asked(self) -> T:
        """Another one; or the former while there is none to be had, and nobody waits to hear that again."""
        former, now = self._present(), self._clock()
        try:
            self._held = _Held(await self._asks(), now, now)
        except WorkloadRefused as refused:
            if former is not None:
                self._held = replace(former, asked=now)
            elif refused.status is Code.UNIMPLEMENTED and self._otherwise is not None:
                self._held = _Held(self._otherwise, now, now)
            else:
                self._refused = (self._clock(), refused)
                raise
        return self._held.value

    def _present(self) -> _Held[T] | None:
        held, kept = self._held, self._ages.kept
        return held if held and (kept is None or _is_within(kept, held.told, self._clock())) else None


def _is_within(span: timedelta, since: datetime, now: datetime) -> bool:
    """And not so where a clock was put back."""
    return timedelta() <= now - since < span
