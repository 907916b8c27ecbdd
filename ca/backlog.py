"""What waits to be answered, and when each is due: bounded, in order, with back-off. Pure: the time comes in.

Times are seconds of one clock that never goes back. A key that does not fit is left out: whoever fills the backlog
does so again from what is still pending.
"""

import heapq
from typing import Final

from kube.resources import Key

CAPACITY: Final = 20_000
FIRST_RETRY: Final = 0.5
LONGEST_RETRY: Final = 60.0


class Backlog:
    """Keys by the moment they are due; each at most once."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._due: dict[Key, float] = {}
        self._attempts: dict[Key, int] = {}
        # May hold moments that no longer hold; `_due` is what counts.
        self._heap: list[tuple[float, Key]] = []

    def __len__(self) -> int:
        return len(self._due)

    def __contains__(self, key: Key) -> bool:
        return key in self._due

    def offer(self, key: Key, due: float) -> bool:
        """Let *key* be taken from *due* on, or earlier if it was due earlier; False where there is no room."""
        known = self._due.get(key)
        if known is None and len(self._due) >= self._capacity:
            return False
        if known is None or due < known:
            self._put(key, due)
        return True

    def forget(self, key: Key) -> None:
        """*key* has its answer."""
        self._due.pop(key, None)
        self._attempts.pop(key, None)

    def take(self, now: float) -> Key | None:
        """The key that has been due longest, which is no longer in the backlog; None where none is due."""
        while self._heap and self._heap[0][0] <= now:
            due, key = heapq.heappop(self._heap)
            if self._due.get(key) == due:
                del self._due[key]
                return key
        return None

    def retry(self, key: Key, now: float, jitter: float) -> float:
        """Put *key* back: twice as far off each time, up to a minute, less up to half of it by *jitter* (0 to 1).

        Answers when. It always has room, as it was taken before.
        """
        attempts = self._attempts.get(key, 0)
        self._attempts[key] = attempts + 1
        pause = min(FIRST_RETRY * 2.0 ** min(attempts, 16), LONGEST_RETRY)
        due: float = now + pause * (1 - jitter / 2)
        self._put(key, due)
        return due

    def hasten(self, now: float) -> None:
        """Everything is due *now*."""
        for key, due in tuple(self._due.items()):
            if due > now:
                self._put(key, now)

    @property
    def next_due(self) -> float | None:
        while self._heap and self._due.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def _put(self, key: Key, due: float) -> None:
        self._due[key] = due
        heapq.heappush(self._heap, (due, key))
