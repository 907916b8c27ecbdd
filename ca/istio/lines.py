"""How many lines of the log refusals may take: bounded for each source and for all, and counted beyond. Pure.

Whoever is refused costs little and asks again for nothing; a log that it fills tells of nobody else.
"""

from typing import Final

from ca.istio.limits import Limits, Rate

BY_SOURCE: Final = Rate(10, 6.0)
"""Ten a minute in the long run: an agent that retries is seen whole."""
OF_ALL: Final = Rate(300, 0.2)
"""Of all sources together; 300 a minute in the long run."""
_MOST: Final = 20_000


class Lines:
    """By source, which is a pod or an address. Of those that have withheld lines the oldest are forgotten."""

    def __init__(self, by_source: Rate = BY_SOURCE, of_all: Rate = OF_ALL) -> None:
        self._sources, self._all = Limits(by_source), Limits(of_all)
        self._withheld: dict[str, int] = {}

    def withheld(self, source: str, now: float) -> int | None:
        """None if there is no room for a line about *source* now; else how many it lacked since its last one."""
        if self._sources.wait(source, now) or self._all.wait("", now):
            self._withheld[source] = self._withheld.pop(source, 0) + 1
            if len(self._withheld) > _MOST:
                del self._withheld[next(iter(self._withheld))]
            return None
        return self._withheld.pop(source, 0)
