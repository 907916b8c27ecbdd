"""The node agent as a process: its parts, who follows whom, and when it is ready. Shell."""

import asyncio
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import structlog

from kube.client import Client, connected
from kube.health import NotReady, Readiness, Ready, health_service, readiness_of
from node.answering import Answering
from node.attachment import Attachments
from node.door import Door
from node.installer import Installer
from node.leaving import leaves_for_good
from node.ledger import Ledger
from node.metrics import Metrics
from node.nri.answering import YOUTH, Sandboxes
from node.nri.door import NriDoor
from node.population import Population
from node.programming import Programmer, programmer
from node.repair import PROC, Repair, Surroundings
from node.settings import Settings
from node.taint import lift
from proa.clock import Clock, system_clock
from proa.running import Service, run_until_stopped


@dataclass(frozen=True, slots=True)
class Plugin:
    """The CNI plugin asks at *door*, as *installer* keeps it chained."""

    door: Door
    installer: Installer
    metrics: Metrics

    @property
    def unready(self) -> str:
        return self.door.unready or self.installer.unready

    async def service(self, stopping: asyncio.Event) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self.door.service(stopping))
            group.create_task(self.installer.service(stopping, self.metrics))


@dataclass(frozen=True, slots=True)
class _Parts:
    population: Population
    programmer: Programmer
    way: Plugin | NriDoor
    """By which the runtime tells of pods' networks."""
    repair: Repair
    metrics: Metrics

    def readiness(self) -> Readiness:
        """Ready is whose node intercepts the pods that start on it: the runtime tells of them, and is answered."""
        return readiness_of(*(NotReady(reason) if reason else Ready() for reason in self._reasons()))

    def is_ready(self) -> bool:
        return not any(self._reasons())

    def _reasons(self) -> tuple[str, ...]:
        unread = "" if self.population.index.synced.is_set() else "the pods of this node are not read yet"
        return unread, self.way.unready


async def serve(settings: Settings, clock: Clock = system_clock) -> None:
    """Until a signal. Raises what kept it from going on. What is installed on the node stays, unless the agent is taken
    away from the cluster: while it is only away, no pod starts there that should have had one.
    """
    async with connected() as client, programmer() as small:
        parts = _parts(settings, client, small, clock)
        await run_until_stopped(
            health_service(settings.health_port, parts.readiness, parts.metrics.registry),
            parts.population.index.service,
            parts.programmer.service,
            parts.way.service,
            parts.repair.service,
            partial(lift, client, settings.node, parts.is_ready),
            *_doors(settings, parts, clock),
        )
        if isinstance(parts.way, Plugin) and await leaves_for_good(client):
            parts.way.installer.remove()
            structlog.get_logger("node").info("removed from the node")


def _doors(settings: Settings, parts: _Parts, clock: Clock) -> tuple[Service, ...]:
    """For pods, where they are wanted."""
    if settings.workload is None:
        return ()
    from node.workload.door import WorkloadDoor  # noqa: PLC0415 - 20 MB that most agents do without
    from node.workload.metrics import Metrics as WorkloadMetrics  # noqa: PLC0415

    directory = Path(settings.places.socket).with_name("workload")
    metrics = WorkloadMetrics(parts.metrics.registry)
    return (WorkloadDoor(settings.workload, directory, parts.population, metrics, clock).service,)


def installer(settings: Settings) -> Installer:
    """Of the plugin on this node."""
    places = settings.places
    return Installer(Path(places.plugin), Path(places.programs), Path(places.configurations), settings.entry)


def _parts(settings: Settings, client: Client, small: Programmer, clock: Clock) -> _Parts:
    metrics, ledger, population = Metrics(), Ledger(), Population(client, settings.node)
    excluded, attachments = settings.excluded_namespaces, Attachments(population, small, ledger)
    wish, youth = settings.unrepairable, 0.0 if settings.nri is None else YOUTH
    repair = Repair(Surroundings(client, population, small, ledger, metrics, clock, wish, excluded, youth))
    if settings.nri is None:
        door = Door(Path(settings.places.socket), Answering(attachments, metrics).answer)
        return _Parts(population, small, Plugin(door, installer(settings), metrics), repair, metrics)
    sandboxes = Sandboxes(attachments, excluded, metrics, PROC)
    way = NriDoor(Path(settings.nri), sandboxes, repair.look_again, metrics)
    return _Parts(population, small, way, repair, metrics)
