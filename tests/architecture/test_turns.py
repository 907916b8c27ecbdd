"""Which files xdist's workers are given when (`support.turns`): a run is half as long again where this goes wrong."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from xdist.remote import Producer

from support.turns import ALONE, AT_ONCE, BESIDE, Files

WORKERS = AT_ONCE + 2


@dataclass(eq=False)
class Worker:
    """As far as xdist's scheduler knows one."""

    given: list[int] = field(default_factory=list)
    shutting_down: bool = False
    gateway: Any = field(default_factory=lambda: SimpleNamespace(id="gw"))

    def send_runtest_some(self, indices: list[int]) -> None:
        self.given += indices

    def shutdown(self) -> None:
        self.shutting_down = True


@dataclass
class Run:
    """Of *files*, the group of each, with three tests each."""

    files: dict[str, str]
    directory: Path
    workers: list[Any] = field(default_factory=lambda: [Worker() for _ in range(WORKERS)])

    def __post_init__(self) -> None:
        self.tests = [f"{file}::test_{number}[a@b]" for file in self.files for number in range(3)]
        groups = {test: group for test in self.tests if (group := self.files[self._file(test)])}
        (self.directory / "groups.json").write_text(json.dumps(groups))
        config: Any = SimpleNamespace(
            getvalue=lambda _: [f"{WORKERS}*popen"], option=SimpleNamespace(loadscopereorder=False)
        )
        self.files_given = Files(config, Producer("turns", enabled=False), self.directory)
        for worker in self.workers:
            self.files_given.add_node(worker)
            self.files_given.add_node_collection(worker, self.tests)
        self.files_given.schedule()

    @staticmethod
    def _file(test: str) -> str:
        return test.partition("::")[0]

    def at_work(self, *groups: str) -> list[Any]:
        """The workers that have tests of *groups* before them."""
        return [
            each for each in self.workers if any(self.files[self._file(self.tests[i])] in groups for i in each.given)
        ]

    def finish(self, worker: Any) -> None:
        """All that the worker has been given by now."""
        for _ in tuple(worker.given):
            self.files_given.mark_test_complete(worker, worker.given.pop(0))


@pytest.fixture
def run(tmp_path: Path) -> Run:
    beside = dict.fromkeys((f"beside-{number}.py" for number in range(9)), BESIDE)
    alone = dict.fromkeys((f"alone-{number}.py" for number in range(3)), ALONE)
    return Run(
        {"first.py": "replicas", "second.py": "replicas", **beside, **alone, **{f"{n}.py": "" for n in range(40)}},
        tmp_path,
    )


def test_no_more_work_on_the_cluster_than_it_takes_and_the_others_do_what_needs_none(run: Run) -> None:
    assert len(run.at_work(BESIDE, "replicas")) == AT_ONCE
    assert len(run.at_work("")) == WORKERS - AT_ONCE
    for worker in run.at_work(""):
        run.files_given.mark_test_complete(worker, worker.given.pop(0))
    assert len(run.at_work(BESIDE, "replicas")) == AT_ONCE


def test_one_worker_has_all_of_a_group(run: Run) -> None:
    (worker,) = run.at_work("replicas")
    assert {run.tests[index].partition("::")[0] for index in worker.given} == {"first.py", "second.py"}


def test_who_must_be_alone_is_given_to_one_when_nobody_else_works_on_the_cluster(run: Run) -> None:
    while others := run.at_work(BESIDE, "replicas"):
        assert all(each in others for each in run.at_work(ALONE))
        run.finish(others[0])
    while not run.at_work(ALONE):
        run.finish(run.workers[0])
    (worker,) = run.at_work(ALONE)
    assert sum(run.tests[index].startswith("alone") for index in worker.given) == 9


def test_every_test_is_done_once(run: Run) -> None:
    while busy := [each for each in run.workers if each.given]:
        run.finish(busy[-1])
    assert run.files_given.tests_finished
    assert all(each.shutting_down for each in run.workers)
