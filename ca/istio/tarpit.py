"""How long a refusal is held back: whoever is refused again and again waits for it. Pure: the time comes in.

A client may have only so many calls under way on a connection (`server.STREAMS`). One that waits for its refusals sends
no more of them, which costs us a timer; to refuse at once costs as much as the library takes for a call, and is what a
flood of bad tokens is made of.
"""

from typing import Final

from ca.istio.asked import Address
from ca.istio.limits import Limits, Rate

AT_ONCE: Final = Rate(20, 0.1)
"""Refusals of one address that are told at once: those of a node whose pods all start, or one mistaken client's."""
HELD: Final = 1.0
"""Seconds: as an agent's own pause between two calls."""
ROOM: Final = 256
"""Refusals held at a time: what is beyond is told at once, so that no flood takes the places of those who may ask."""


class Tarpit:
    def __init__(self, at_once: Rate = AT_ONCE, seconds: float = HELD, room: int = ROOM) -> None:
        self._often, self._seconds, self._room, self._held = Limits(at_once), seconds, room, 0

    def enter(self, address: Address | None, now: float) -> float:
        """The seconds for which a refusal to *address* is to be held, 0 for none at all. Whoever has held one calls
        `leave`."""
        if not self._often.wait(address, now) or self._held >= self._room:
            return 0.0
        self._held += 1
        return self._seconds

    def leave(self) -> None:
        self._held -= 1
