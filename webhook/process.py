"""The webhook as a process: its parts, who follows whom, and when it is ready. Shell."""

import asyncio
from dataclasses import dataclass
from typing import Final

from kube.calls import Selection, Selectors
from kube.client import Client, connected
from kube.configuration import LiveConfiguration
from kube.connections import https_service
from kube.health import NotReady, Readiness, Ready, health_service, listening, readiness_of
from kube.index import Index
from kube.leader import led
from kube.resources import MUTATING_WEBHOOKS, NAMESPACES
from proa import names
from proa.clock import Clock, system_clock
from proa.running import LAG_SECONDS, Service, run_until_stopped
from webhook.metrics import Metrics
from webhook.mounted import MountedConfiguration
from webhook.namespaces import Labels, Namespaces, labels_of
from webhook.publishing import publishing
from webhook.registration import Trust
from webhook.server import Injector, Template, routes, template
from webhook.serving import Serving
from webhook.settings import Settings
from webhook.standing import Standing
from webhook.trial import tried_configuration
from webhook.trust import Registration, registered

NOT_CONFIGURED: Final = "the configuration is not loaded"
NOT_SYNCED: Final = "the namespaces are not synced"
NOT_CERTIFIED: Final = "the serving certificate is missing"


async def serve(settings: Settings, clock: Clock = system_clock, lag: float = LAG_SECONDS) -> None:
    """Until a signal. Raises what kept it from going on."""
    async with connected() as client:
        parts = _parts(client, settings, clock)
        await run_until_stopped(
            health_service(settings.health_port, parts.readiness, parts.metrics.registry, lag),
            parts.note,
            parts.configuration.service,
            parts.namespaces.service,
            parts.registration.service,
            parts.serving.service,
            parts.standing.service,
            https_service(routes(parts.injector()), listening(settings.port), parts.serving.tls, lag),
            *_duties(client, settings, parts),
        )


@dataclass(slots=True)
class _Parts:
    metrics: Metrics
    configuration: LiveConfiguration | MountedConfiguration
    namespaces: Index[Labels]
    registration: Index[Registration]
    serving: Serving
    standing: Standing
    stopping: bool = False
    template: Template | None = None

    def injector(self) -> Injector:
        namespaces = Namespaces(self.namespaces)
        return Injector(
            self.current, namespaces.labels, namespaces.arrival, self.metrics, stopping=lambda: self.stopping
        )

    def current(self) -> Template | None:
        """The sidecar of the last good configuration, made anew when that is another one."""
        configuration = self.configuration.current
        if configuration is None:
            return None
        if self.template is None or self.template.configuration is not configuration:
            self.template = template(configuration)
        return self.template

    async def note(self, stopping: asyncio.Event) -> None:
        await stopping.wait()
        self.stopping = True

    def readiness(self) -> Readiness:
        """Every reason why the API server should not send pods here. A new configuration or certificate that cannot be
        used is none: the last good one is in force.
        """
        return readiness_of(
            _state(NOT_CONFIGURED, self.configuration.problem, ready=self.configuration.current is not None),
            _state(NOT_SYNCED, self.namespaces.problem, ready=self.namespaces.synced.is_set()),
            _state(NOT_CERTIFIED, self.serving.problem, ready=self.serving.certified),
            NotReady(self.standing.problem) if self.standing.problem else Ready(),
        )


def _parts(client: Client, settings: Settings, clock: Clock) -> _Parts:
    metrics = Metrics()
    configuration = _configuration(client, settings, clock, metrics)
    serving = Serving(settings.serving, clock, metrics.certified_until, settings.client_roots)
    ours = Selection(selectors=Selectors(field=f"metadata.name={settings.name}"))
    registration = Index(client, MUTATING_WEBHOOKS, ours, registered)

    def able() -> bool:
        return configuration.current is not None and serving.certified

    return _Parts(
        metrics,
        configuration,
        Index(client, NAMESPACES, Selection(), labels_of),
        registration,
        serving,
        Standing(settings.name, registration, settings.port, able, metrics, serving.self_certified),
    )


def _configuration(
    client: Client, settings: Settings, clock: Clock, metrics: Metrics
) -> LiveConfiguration | MountedConfiguration:
    if settings.configuration is not None:
        return MountedConfiguration(settings.configuration, metrics.registry)
    name = settings.revision.named(names.CONFIGURATION_MAP)
    return LiveConfiguration(client, name, metrics.registry, clock=clock, reading=tried_configuration)


def _duties(client: Client, settings: Settings, parts: _Parts) -> tuple[Service, ...]:
    """Of the leader: the caBundle, unless somebody else keeps it."""
    if settings.trust is Trust.CERT_MANAGER:
        return ()
    publish = publishing(client, parts.registration, settings.name, settings.serving / names.TRUST_BUNDLE)
    return (led(client, settings.name, names.SYSTEM_NAMESPACE, settings.identity, publish),)


def _state(reason: str, problem: object, *, ready: bool) -> Readiness:
    if ready:
        return Ready()
    return NotReady(f"{reason}: {problem}" if problem else reason)
