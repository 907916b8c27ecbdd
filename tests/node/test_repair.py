"""When a pod's network is looked at, and what of that is believed."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from kube.client import connected
from kube.until import cancelled
from node.jobs import WAITING
from node.ledger import Ledger
from node.metrics import Metrics
from node.population import Population
from node.repair import Repair, Surroundings
from node.standing import Programmed
from proa.capture.annotation import ANNOTATION
from proa.clock import system_clock
from support.api_server import running_api_server
from support.small import Small

PODS = {f"web-{number}": f"00000000-0000-4000-8000-{number:012}" for number in range(2 * WAITING)}
UID = PODS["web-0"]
LONG = 3600.0


@pytest.fixture
async def around(small: Small, tmp_path: Path) -> AsyncIterator[Surroundings]:
    """A node whose pods are to be intercepted; none has a process yet."""
    proc = tmp_path / "proc"
    proc.mkdir()
    async with running_api_server(page=500) as api, connected(api.kubeconfig(tmp_path)) as client:
        for name, uid in PODS.items():
            metadata = {"uid": uid, "annotations": {ANNOTATION: "{}"}}
            path = f"/api/v1/namespaces/shop/pods/{name}"
            await api.put(path, metadata=metadata, spec={"nodeName": "node-1"}, status={})
        population, ledger, metrics = Population(client, "node-1"), Ledger(), Metrics()
        watching = asyncio.create_task(population.index.service(asyncio.Event()))
        await population.index.synced.wait()
        yield Surroundings(
            client, population, small.programmer, ledger, metrics, system_clock, "report", (), LONG, proc
        )
        await cancelled(watching)


def first_process(proc: Path, started: float, uid: str = UID, pid: int = 7) -> None:
    """The pod's, *started* seconds after the kernel."""
    place = proc / str(pid)
    (place / "ns").mkdir(parents=True)
    (place / "ns" / "net").symlink_to("/proc/self/ns/net")
    (place / "cgroup").write_text(f"0::/kubepods/pod{uid}/pause\n")
    ticks = round(started * os.sysconf("SC_CLK_TCK"))
    (place / "stat").write_text(f"{pid} (pause) {' '.join(['0'] * 19)} {ticks} 0\n")


async def test_a_sandbox_that_is_young_is_left_to_whoever_tells_of_it(around: Surroundings, small: Small) -> None:
    first_process(around.proc, time.clock_gettime(time.CLOCK_BOOTTIME) - 1)
    await Repair(around).sweep()
    assert small.heard() == []
    assert dict(around.ledger.standings) == {}


async def test_what_was_seen_before_the_runtime_came_back_is_not_believed(around: Surroundings, small: Small) -> None:
    first_process(around.proc, time.clock_gettime(time.CLOCK_BOOTTIME) - 2 * LONG)
    repair = Repair(around)
    for is_back, known in ((True, {}), (False, {UID: Programmed()})):
        sweeping = asyncio.create_task(repair.sweep())
        (asked,) = await small.asked()
        if is_back:
            repair.look_again()
        small.answer(asked, "verified")
        await sweeping
        assert dict(around.ledger.standings) == known


async def test_looks_at_many_pods_leave_room_for_one_that_starts(
    around: Surroundings, small: Small, place: int
) -> None:
    for number, uid in enumerate(PODS.values()):
        first_process(around.proc, time.clock_gettime(time.CLOCK_BOOTTIME) - 2 * LONG, uid, number + 1)
    sweeping = asyncio.create_task(Repair(around).sweep())
    looks = await small.asked()
    assert len(looks) < WAITING
    starting = asyncio.create_task(small.programmer.done("apply", "{}", place))
    (asked,) = await small.asked()
    small.answer(asked, "applied")
    assert (await starting).how == "applied"
    seen = 0
    while looks:
        for each in looks:
            small.answer(each, "verified")
        seen += len(looks)
        looks = await small.asked() if seen < len(PODS) else []
    await sweeping
    assert set(around.ledger.standings) == set(PODS.values())
