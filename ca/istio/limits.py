"""How often one may ask, whoever that is: bounded in rate and in memory. Pure: the time comes in.

Times are seconds of one clock that never goes back. By the generic cell rate algorithm (ITU-T I.371): one number a key.
"""

from collections.abc import Hashable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rate:
    """*burst* at once, and then one each *seconds*."""

    burst: int
    seconds: float


class Limits:
    """A limit of *rate* for each key. Of more than *capacity* that asked lately, those longest ago are forgotten."""

    def __init__(self, rate: Rate, capacity: int = 20_000) -> None:
        self._rate, self._capacity = rate, capacity
        self._due: dict[Hashable, float] = {}
        """When each would be as if it had never asked."""

    def __len__(self) -> int:
        return len(self._due)

    def wait(self, key: Hashable, now: float) -> float:
        """0 if *key* may go on, which is then counted; else the seconds until it may."""
        due = max(self._due.get(key, now), now)
        early = due - now - (self._rate.burst - 1) * self._rate.seconds
        if early > 0:
            return early
        # Put at the end, so that the first is who asked longest ago.
        self._due.pop(key, None)
        self._due[key] = due + self._rate.seconds
        while len(self._due) > self._capacity:
            del self._due[next(iter(self._due))]
        return 0.0
