"""What waits to be answered, and when each is due: bounded, in order, with back-off. Pure: the time comes in.

Times are seconds of one clock that never goes back. A key that does not fit is left out: whoever fills the backlog
does so again from what is still pending. What can wait is taken when nothing else is due, or when it has waited long.
"""

import heapq
from typing import Final, TypeAlias

from kube.resources import Key

CAPACITY: Final = 20_000
FIRST_RETRY: Final = 0.5
LONGEST_RETRY: Final = 60.0


PATIENCE: Final = 60.0
"""Seconds for which what can wait gives way: a renewal has hours, but its request goes when it is 15 minutes old."""

_Heap: TypeAlias = list[tuple[float, Key]]


class Backlog:
    """Keys by the moment they are due; each at most once."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._due: dict[Key, float] = {}
        self._attempts: dict[Key, int] = {}
        self._patient: dict[Key, None] = {}
        # May hold moments that no longer hold; `_due` is what counts.
        self._first: _Heap = []
        self._second: _Heap = []

    def __len__(self) -> int:
        return len(self._due)

    def __contains__(self, key: Key) -> bool:
        return key in self._due

    def offer(self, key: Key, due: float, *, patient: bool = False) -> bool:
        """Let *key* be taken from *due* on, or earlier if it was due earlier; False where there is no room.

        A *patient* one gives way to all others, its place too.
        """
        known = self._due.get(key)
        if known is None and len(self._due) >= self._capacity and not (self._patient and not patient):
            return False
        if known is None and len(self._due) >= self._capacity:
            self.forget(next(reversed(self._patient)))
        if known is None and patient:
            self._patient[key] = None
        if known is None or due < known:
            self._put(key, due)
        return True

    def forget(self, key: Key) -> None:
        """*key* has its answer."""
        self._due.pop(key, None)
        self._attempts.pop(key, None)
        self._patient.pop(key, None)

    def take(self, now: float) -> Key | None:
        """The key that has been due longest, which is no longer in the backlog; None where none is due. A patient one
        only where no other is, or if it has been due for `PATIENCE`."""
        for heap, moment in ((self._second, now - PATIENCE), (self._first, now), (self._second, now)):
            due = self._next(heap)
            if due is not None and due <= moment:
                _, key = heapq.heappop(heap)
                del self._due[key]
                self._patient.pop(key, None)
                return key
        return None

    def retry(self, key: Key, now: float, jitter: float, *, patient: bool = False) -> float:
        """Put *key* back: twice as far off each time, up to a minute, less up to half of it by *jitter* (0 to 1).

        Answers when. It always has room, as it was taken before.
        """
        attempts = self._attempts.get(key, 0)
        self._attempts[key] = attempts + 1
        pause = min(FIRST_RETRY * 2.0 ** min(attempts, 16), LONGEST_RETRY)
        due: float = now + pause * (1 - jitter / 2)
        if patient:
            self._patient[key] = None
        self._put(key, due)
        return due

    def hasten(self, now: float) -> None:
        """Everything is due *now*."""
        for key, due in tuple(self._due.items()):
            if due > now:
                self._put(key, now)

    @property
    def next_due(self) -> float | None:
        return min((due for due in map(self._next, (self._first, self._second)) if due is not None), default=None)

    def _next(self, heap: _Heap) -> float | None:
        """The first moment of *heap* that holds."""
        while heap and not (self._due.get(heap[0][1]) == heap[0][0] and self._heap_of(heap[0][1]) is heap):
            heapq.heappop(heap)
        return heap[0][0] if heap else None

    def _heap_of(self, key: Key) -> _Heap:
        return self._second if key in self._patient else self._first

    def _put(self, key: Key, due: float) -> None:
        self._due[key] = due
        heapq.heappush(self._heap_of(key), (due, key))
