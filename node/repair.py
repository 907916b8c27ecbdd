"""Finds pods that started without their rules, and puts them in where the pod is; else tells. Shell.

What a standing means is `standing`'s. Pods start without rules before the agent is first on a node, and while the
network's plugin has its configuration without ours in it.
"""

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from kube.client import Client
from kube.events import record
from kube.failures import ApiRefused, Unreachable
from kube.resources import PODS, place
from kube.until import until
from kube.waiting import waited
from node.cgroups import Process
from node.cni import CniRefused
from node.jobs import WAITING
from node.ledger import Ledger
from node.metrics import Metrics
from node.pods import Pod, reference
from node.population import Population
from node.processes import age, network, sandboxes
from node.programming import Programmer
from node.standing import (
    Differing,
    Programmed,
    Repaired,
    Standing,
    Wish,
    bare,
    counts,
    to_be_deleted,
    unsettled,
    word,
)
from proa.clock import Clock
from proa.json import Json

PROC: Final = Path("/proc")
_SWEEP: Final = 5.0
_SPACING: Final = 2.0
"""Seconds at least between two looks at every process of the node."""
_AT_ONCE: Final = WAITING // 2
"""Looks: what room is left is for pods that start meanwhile, for which a runtime does not wait long."""
_LOG: Final = structlog.get_logger("node")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """*proc* is the node's, of its own process numbers."""

    client: Client
    population: Population
    programmer: Programmer
    ledger: Ledger
    metrics: Metrics
    clock: Clock
    wish: Wish
    excluded_namespaces: tuple[str, ...]
    youth: float
    """Seconds for which a sandbox is left to whoever tells of it: 0 where that is before it has a process."""
    proc: Path = PROC

    def pods(self) -> tuple[Pod, ...]:
        """Those of this node that the plugin asks about."""
        return tuple(each for each in self.population.index.values() if self.asks_about(each))

    def asks_about(self, pod: Pod) -> bool:
        return pod.key.namespace not in self.excluded_namespaces


class Repair:
    def __init__(self, around: Surroundings) -> None:
        self._around, self._news, self._room = around, asyncio.Event(), asyncio.Semaphore(_AT_ONCE)
        around.population.index.subscribe(lambda _, pod: self._changed(pod))

    async def service(self, stopping: asyncio.Event) -> None:
        """Look at each change of a pod that is not known to be right, and every few seconds."""
        await until(stopping, self._around.population.index.synced.wait())
        while not stopping.is_set():
            await self.sweep()
            await until(stopping, asyncio.sleep(_SPACING))
            await waited(stopping, self._news, _SWEEP)

    def look_again(self) -> None:
        """At every pod, as if none had been looked at."""
        self._around.ledger.forget_all()
        self._news.set()

    async def sweep(self) -> None:
        """Look at every pod that is not known to be right."""
        around, pods, era = self._around, self._around.pods(), self._around.ledger.era
        around.ledger.keep(pods)
        if todo := unsettled(pods, around.ledger.standings):
            found = await asyncio.to_thread(sandboxes, around.proc)
            # A pod that has no process has no network yet, or is starting again after its node did: it waits.
            there = [(each, found[each.uid]) for each in todo if each.uid in found]
            ripe = [(each, process) for each, process in there if age(process) >= around.youth]
            if ripe != there:
                self._news.set()
            await asyncio.gather(*(self._look(each, process, era) for each, process in ripe))
        around.metrics.standings(counts(pods, around.ledger.standings))

    def _changed(self, pod: Pod | None) -> None:
        around = self._around
        if pod is not None and around.asks_about(pod) and unsettled((pod,), around.ledger.standings):
            self._news.set()

    async def _look(self, pod: Pod, process: Process, era: int) -> None:
        try:
            async with self._room:
                now = await self._repaired(pod, process)
        except (CniRefused, OSError) as error:
            now = bare(self._around.ledger.standings.get(pod.uid), str(error))
        if now is not None and self._around.ledger.era == era:
            self._around.ledger.note(pod.uid, now)
            await self._tell(pod, now)

    async def _repaired(self, pod: Pod, process: Process) -> Standing | None:
        """None if the process is gone. Raises CniRefused, OSError."""
        if (number := network(self._around.proc, pod.uid, process)) is None:
            return None
        try:
            outcome = await self._around.programmer.done("repair", pod.wanted or "", number)
        finally:
            os.close(number)
        match outcome.how:
            case "applied":
                return Repaired()
            case "differs":
                return Differing(outcome.text)
            case _:
                return Programmed()

    async def _tell(self, pod: Pod, now: Standing) -> None:
        around = self._around
        if said := word(now):
            await record(around.client, reference(pod), said.reason, said.message, said.severity, around.clock)
        if to_be_deleted(now, around.wish):
            await self._delete(pod)

    async def _delete(self, pod: Pod) -> None:
        """This pod, and no other one of its name."""
        _LOG.warning("deleted, as it cannot be intercepted", pod=str(pod.key), uid=pod.uid)
        options: Json = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": pod.uid}}
        try:
            await self._around.client.request("DELETE", place(PODS, pod.key), body=options)
        except (Unreachable, ApiRefused) as error:
            _LOG.warning("not deleted", pod=str(pod.key), error=str(error))
