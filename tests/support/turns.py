"""Who of a run's workers may work on the shared cluster now, by locks that end with the worker that holds them."""

import fcntl
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest

MARKER: Final = "beside_others"
_ALL: Final = "all"


@dataclass(frozen=True, slots=True)
class Turn:
    """Of consecutive tests of a file that need the same *locks*: names, and how each is held."""

    file: Path
    locks: tuple[tuple[str, int], ...]

    @property
    def alone(self) -> bool:
        return self.locks == ((_ALL, fcntl.LOCK_EX),)


def turn(item: pytest.Item) -> Turn:
    """A marked test's is beside others, those that are marked with its own name left out; every other's is alone."""
    marker = item.get_closest_marker(MARKER)
    if marker is None:
        return Turn(item.path, ((_ALL, fcntl.LOCK_EX),))
    # Whoever waits for one of its name keeps nobody else waiting.
    return Turn(item.path, (*((name, fcntl.LOCK_EX) for name in marker.args), (_ALL, fcntl.LOCK_SH)))


@dataclass(slots=True)
class Worker:
    """One that takes its turns, by files in a *directory* that all workers know."""

    directory: Path
    _turn: Turn | None = None
    _held: ExitStack = field(default_factory=ExitStack)

    def begin(self, turn: Turn) -> None:
        """Wait for it, unless it goes on."""
        if turn == self._turn:
            return
        self.end()
        for name, how in turn.locks:
            fcntl.flock(self._held.enter_context((self.directory / name).open("w")), how)
        self._turn = turn

    def end(self) -> None:
        self._held.close()
        self._turn = None
