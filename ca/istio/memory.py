"""Remembers a bounded number of values for a time. Pure: the time comes in."""

from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Memory(Generic[K, V]):
    """Of more than *capacity* values the oldest are forgotten."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._values: dict[K, tuple[float, V]] = {}

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: K, now: float) -> V | None:
        until, value = self._values.get(key, (now, None))
        if until > now:
            return value
        self._values.pop(key, None)
        return None

    def put(self, key: K, value: V, until: float) -> None:
        self._values.pop(key, None)
        self._values[key] = (until, value)
        while len(self._values) > self._capacity:
            del self._values[next(iter(self._values))]
