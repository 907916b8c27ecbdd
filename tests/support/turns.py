"""Who of a run's workers may work on the shared cluster now, by locks that end with the worker that holds them."""

import fcntl
import os
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest
from xdist.scheduler import LoadGroupScheduling

MARKER: Final = "beside_others"
FREE: Final = "at_any_time"
_ALL: Final = "all"
_NICE: Final = 10
ALONE: Final = "alone"
BESIDE: Final = "beside"


@dataclass(frozen=True, slots=True)
class Turn:
    """Of consecutive tests of a file that need the same *locks*: names, and how each is held."""

    file: Path
    locks: tuple[tuple[str, int], ...]

    @property
    def alone(self) -> bool:
        return self.locks == ((_ALL, fcntl.LOCK_EX),)

    @property
    def place(self) -> int:
        """In a run: who needs no cluster comes last, before them those that must be alone on it, and first those that
        wait for each other."""
        if self.alone:
            return 2
        return 3 if not self.locks else 1 if self.group == BESIDE else 0

    @property
    def group(self) -> str:
        """By which workers are given tests (`Files`); of those that need no cluster none."""
        if not self.locks:
            return ""
        return ALONE if self.alone else self.locks[0][0] if len(self.locks) > 1 else BESIDE


def turn(item: pytest.Item) -> Turn:
    """A marked test's is beside others, those that are marked with its own name left out; every other's of the
    cluster's is alone. Whoever needs no cluster, or of it the programs alone, may come at any time."""
    if item.get_closest_marker("cluster") is None or item.get_closest_marker(FREE):
        return Turn(item.path, ())
    marker = item.get_closest_marker(MARKER)
    if marker is None:
        return Turn(item.path, ((_ALL, fcntl.LOCK_EX),))
    # Whoever waits for one of its name keeps nobody else waiting.
    return Turn(item.path, (*((name, fcntl.LOCK_EX) for name in marker.args), (_ALL, fcntl.LOCK_SH)))


class Files(LoadGroupScheduling):
    """A worker has a file at a time, and one of them all of a group, which would otherwise wait for each other.

    Those that must be alone are given to nobody while others work on the cluster: these would have to wait, too, where
    they are not done yet. Until then workers take what needs no cluster.
    """

    def _split_scope(self, nodeid: str) -> str:
        group = super()._split_scope(nodeid)
        return nodeid.partition("::")[0] if group in {nodeid, BESIDE} else group

    def _assign_work_unit(self, node: object) -> None:
        if next(iter(self.workqueue)) == ALONE and self._others_work():
            later = next((scope for scope in self.workqueue if scope != ALONE), ALONE)
            self.workqueue.move_to_end(later, last=False)
        super()._assign_work_unit(node)

    def _others_work(self) -> bool:
        units = (unit for units in self.assigned_work.values() for unit in units.values())
        return any("@" in nodeid.rpartition("]")[2] and not done for unit in units for nodeid, done in unit.items())


@dataclass(slots=True)
class Worker:
    """One that takes its turns, by files in a *directory* that all workers know."""

    directory: Path
    _turn: Turn | None = None
    _held: ExitStack = field(default_factory=ExitStack)

    def begin(self, turn: Turn) -> None:
        """Wait for it, unless it goes on. Who needs no cluster is nice to those that work on it: these wait for much
        else already, and a run is as long as they are."""
        if turn == self._turn:
            return
        self.end()
        with suppress(PermissionError):  # who may not take it back
            os.setpriority(os.PRIO_PROCESS, 0, 0 if turn.locks else _NICE)
        for name, how in turn.locks:
            fcntl.flock(self._held.enter_context((self.directory / name).open("w")), how)
        self._turn = turn

    def end(self) -> None:
        self._held.close()
        self._turn = None
