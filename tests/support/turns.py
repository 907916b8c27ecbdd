"""Who of a run's workers may work on the shared cluster now, by locks that end with the worker that holds them."""

import fcntl
import json
import os
import tempfile
from collections.abc import Iterable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

MARKER: Final = "beside_others"
FREE: Final = "at_any_time"
_ALL: Final = "all"
_NICE: Final = 10
_GROUPS: Final = "groups.json"
ALONE: Final = "alone"
BESIDE: Final = "beside"
AT_ONCE: Final = 4
"""Files whose tests work on the cluster."""


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


class Files(LoadScopeScheduling):
    """A worker has a file at a time, and one of them all of a group, which would otherwise wait for each other.

    Those that must be alone are given to nobody while others work on the cluster: these would have to wait, too, where
    they are not done yet. Nor do more than `AT_ONCE` work there, which has one node. The others take what needs no
    cluster: half of either's time is waiting.

    The groups come by a file: xdist's own way, by the names of tests, groups nothing with pytest 9.2
    (pytest-xdist#1386).
    """

    def __init__(self, config: pytest.Config, log: Producer, directory: Path) -> None:
        super().__init__(config, log)
        self._directory, self._known = directory, dict[str, str]()

    def schedule(self) -> None:
        """After every worker has found the tests, and told their groups."""
        self._known = self._known or json.loads((self._directory / _GROUPS).read_text(encoding="utf-8"))
        super().schedule()

    def _split_scope(self, nodeid: str) -> str:
        group = self._known.get(nodeid, BESIDE)
        return nodeid.partition("::")[0] if group == BESIDE else group

    def _assign_work_unit(self, node: WorkerController) -> None:
        others = sum(map(self._works, (units for other, units in self.assigned_work.items() if other is not node)))
        fitting = (scope for scope in self.workqueue if self._fits(scope, others))
        self.workqueue.move_to_end(next(fitting, next(iter(self.workqueue))), last=False)
        super()._assign_work_unit(node)

    def _fits(self, scope: str, others: int) -> bool:
        """Whether it may be begun where so many *others* work on the cluster."""
        most = 0 if scope == ALONE else AT_ONCE - 1
        return others <= most or not self._works({scope: self.workqueue[scope]})

    def _works(self, units: dict[str, dict[str, bool]]) -> bool:
        """Whether a test of *units* that needs the cluster is not done."""
        return any(nodeid in self._known and not done for unit in units.values() for nodeid, done in unit.items())


@dataclass(slots=True)
class Worker:
    """One that takes its turns, by files in a *directory* that all workers know."""

    directory: Path
    _turn: Turn | None = None
    _held: ExitStack = field(default_factory=ExitStack)

    def tell(self, items: Iterable[pytest.Item]) -> None:
        """The groups of tests, for `Files`; every worker says the same."""
        groups = {item.nodeid: group for item in items if (group := turn(item).group)}
        with tempfile.NamedTemporaryFile("w", dir=self.directory, delete=False, encoding="utf-8") as file:
            json.dump(groups, file)
        Path(file.name).rename(self.directory / _GROUPS)

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
