"""The certificate authority as a process: its parts, who follows whom, and when it is ready. Shell."""

import asyncio
from dataclasses import dataclass

from ca.accounts.door import AccountsDoor
from ca.accounts.keeping import Surroundings as AccountsSurroundings
from ca.accounts.metrics import Metrics as AccountsMetrics
from ca.answering import Answering
from ca.door import Door
from ca.istio.door import IstioDoor, Surroundings
from ca.istio.metrics import Metrics as IstioMetrics
from ca.metrics import Metrics
from ca.publication import Publication
from ca.reports import Reports
from ca.settings import Settings
from ca.storage import LiveMaterial
from ca.upkeep import Upkeep
from kube.client import Client, connected
from kube.configuration import LiveConfiguration
from kube.health import NotReady, Readiness, Ready, health_service, readiness_of
from kube.leader import led
from proa.clock import Clock, system_clock
from proa.names import AUTHORITY, CONFIGURATION_MAP, SYSTEM_NAMESPACE
from proa.running import run_until_stopped


@dataclass(frozen=True, slots=True)
class _Parts:
    configuration: LiveConfiguration
    material: LiveMaterial
    door: Door
    istio: IstioDoor
    accounts: AccountsDoor
    publication: Publication
    upkeep: Upkeep
    reports: Reports
    metrics: Metrics

    def readiness(self) -> Readiness:
        """Ready is who could serve a pod now: the material proves it by a certificate, issued as a test."""
        missing = self.configuration.problem or "the configuration is not read yet"
        unread = "" if self.configuration.current else str(missing)
        reasons = (unread, self.material.unready, self.door.unready, self.istio.unready)
        return readiness_of(*map(_state, reasons))

    async def duties(self, stopping: asyncio.Event) -> None:
        """Of the leader."""
        async with asyncio.TaskGroup() as group:
            for duty in (self.door.lead, self.publication.publish, self.upkeep.service, self.accounts.keep):
                group.create_task(duty(stopping))


async def serve(settings: Settings, clock: Clock = system_clock) -> None:
    """Until a signal. Raises what kept it from going on."""
    async with connected() as client:
        parts = _parts(client, clock)
        await run_until_stopped(
            health_service(settings.health_port, parts.readiness, parts.metrics.registry),
            parts.configuration.service,
            parts.material.service,
            parts.door.service,
            parts.istio.service,
            parts.publication.watch,
            parts.reports.service,
            led(client, AUTHORITY, SYSTEM_NAMESPACE, settings.identity, parts.duties),
        )


def _parts(client: Client, clock: Clock) -> _Parts:
    metrics, reports = Metrics(), Reports(client, clock)
    configuration = LiveConfiguration(client, CONFIGURATION_MAP, metrics.registry, SYSTEM_NAMESPACE, clock)
    material = LiveMaterial(client, configuration, clock, metrics, reports)
    door = Door(client, Answering(client, material, configuration, clock, metrics), metrics)
    material.subscribe(door.hasten)
    configuration.subscribe(lambda _: door.hasten())
    istio = IstioDoor(Surroundings(client, material, configuration, clock, IstioMetrics(metrics.registry)))
    around = AccountsSurroundings(client, material, configuration, clock, reports, AccountsMetrics(metrics.registry))
    accounts = AccountsDoor(around)
    publication = Publication(client, material, reports)
    upkeep = Upkeep(client, material, configuration, clock, metrics, reports)
    publication.subscribe(upkeep.hasten)
    return _Parts(configuration, material, door, istio, accounts, publication, upkeep, reports, metrics)


def _state(reason: str) -> Readiness:
    return NotReady(reason) if reason else Ready()
