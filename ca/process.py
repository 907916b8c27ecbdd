"""The certificate authority as a process: its parts, who follows whom, and when it is ready. Shell."""

import asyncio
from dataclasses import dataclass
from typing import TypeVar

from ca.accounts.door import accounts_door
from ca.accounts.metrics import Metrics as AccountsMetrics
from ca.answering import Answering
from ca.ceremony import child
from ca.ceremony.asking import Ceremony
from ca.csrs.keeping import signing_requests
from ca.csrs.metrics import Metrics as CsrMetrics
from ca.custody import nobody
from ca.door import Door
from ca.duty import ConfiguredDuty
from ca.istio.door import IstioDoor
from ca.istio.metrics import Metrics as IstioMetrics
from ca.jwt.keeping import jwt_keys
from ca.maps.door import maps_door
from ca.maps.keeping import Joined
from ca.maps.metrics import Metrics as MapsMetrics
from ca.metrics import Metrics
from ca.pkcs11 import Pkcs11
from ca.publication import Publication
from ca.reports import Reports
from ca.revocation.keeping import revocation
from ca.revocation.listing import LiveCrls
from ca.revocation.metrics import Metrics as RevocationMetrics
from ca.settings import Settings
from ca.storage import Issuing, LiveMaterial
from ca.surroundings import Surroundings
from ca.upkeep import Upkeep
from kube.client import Client, connected
from kube.configuration import LiveConfiguration
from kube.health import NotReady, Readiness, Ready, health_service, readiness_of
from kube.leader import led
from proa.clock import Clock, system_clock
from proa.names import AUTHORITY, CONFIGURATION_MAP, SYSTEM_NAMESPACE
from proa.running import run_until_stopped

_M = TypeVar("_M")


@dataclass(frozen=True, slots=True)
class _Parts:
    configuration: LiveConfiguration
    material: LiveMaterial
    door: Door
    istio: IstioDoor
    kept: tuple[ConfiguredDuty, ...]
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
            kept = (each.keep for each in self.kept)
            for duty in (self.material.lead, self.door.lead, self.publication.publish, self.upkeep.service, *kept):
                group.create_task(duty(stopping))


async def serve(settings: Settings, clock: Clock = system_clock) -> None:
    """Until a signal. Raises what kept it from going on."""
    async with connected() as client:
        keeper = Pkcs11(settings.pkcs11) if settings.pkcs11 else nobody
        parts = _parts(client, clock, Issuing(Ceremony(child.held, clock), keeper))
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


def _parts(client: Client, clock: Clock, issuing: Issuing) -> _Parts:
    metrics, reports = Metrics(), Reports(client, clock)
    configuration = LiveConfiguration(client, CONFIGURATION_MAP, metrics.registry, SYSTEM_NAMESPACE, clock)
    material = LiveMaterial(client, configuration, clock, metrics, reports, issuing)
    door = Door(client, Answering(client, material, configuration, clock, metrics), metrics)
    material.subscribe(door.hasten)
    configuration.subscribe(lambda _: door.hasten())

    def around(own: _M) -> Surroundings[_M]:
        return Surroundings(client, material, configuration, clock, reports, own)

    istio = IstioDoor(around(IstioMetrics(metrics.registry)))
    publication = Publication(client, material, reports)
    upkeep = Upkeep(around(metrics), issuing.ceremony)
    publication.subscribe(upkeep.hasten)
    crls = LiveCrls()
    maps = maps_door(around(MapsMetrics(metrics.registry)), Joined(upkeep.hasten, lambda: crls.pem))
    crls.subscribe(maps.hasten)
    kept = (
        accounts_door(around(AccountsMetrics(metrics.registry))),
        maps,
        revocation(around(RevocationMetrics(metrics.registry)), crls, issuing),
        signing_requests(around(CsrMetrics(metrics.registry))),
        jwt_keys(around(None)),
    )
    return _Parts(configuration, material, door, istio, kept, publication, upkeep, reports, metrics)


def _state(reason: str) -> Readiness:
    return NotReady(reason) if reason else Ready()
