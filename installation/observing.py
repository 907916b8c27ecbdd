"""Reads what `proa status` shows. Shell: what it means is `coverage`'s."""

import asyncio
from dataclasses import dataclass

from installation import survey
from installation.coverage import Coverage, Revision, coverage
from installation.reading import read_configuration
from installation.state import BadConfiguration, Configured, NoConfiguration, registered
from installation.trees import text
from kube.client import Client
from kube.resources import MUTATING_WEBHOOKS, NAMESPACES, PODS, Object
from proa import names
from proa.mesh import MeshConfiguration
from webhook.sidecar import sidecar


@dataclass(frozen=True, slots=True)
class Installed:
    """A revision that answers for pods; *problem* says why its configuration is not known, else empty."""

    name: str
    since: str
    fingerprint: str
    problem: str


@dataclass(frozen=True, slots=True)
class Observed:
    revisions: tuple[Installed, ...]
    namespaces: tuple[Coverage, ...]

    @property
    def sound(self) -> bool:
        return all(each.sound for each in self.namespaces) and not any(each.problem for each in self.revisions)


async def observed(client: Client, namespace: str | None) -> Observed:
    """The state of all namespaces, or of *namespace* alone.

    Raises NotFound for one that is not there, Forbidden where one may not read, and Unreachable.
    """
    registrations, spaces, pods = await asyncio.gather(
        client.list(MUTATING_WEBHOOKS), _spaces(client, namespace), client.list(PODS, namespace)
    )
    present = sorted(registered(tuple(each for raw in registrations for each in survey.entries(raw))))
    configured = await asyncio.gather(*(read_configuration(client, each) for each in present))
    since = {text(each, "metadata", "name"): text(each, "metadata", "creationTimestamp") for each in registrations}
    read = {
        name: _revision(found, since.get(f"{names.WEBHOOK}-{name}" if name else names.WEBHOOK, ""))
        for name, found in zip(present, configured, strict=True)
    }
    revisions = tuple(
        Installed(name, read[name].since, read[name].fingerprint, _problem(found))
        for name, found in zip(present, configured, strict=True)
    )
    return Observed(revisions, coverage(map(survey.namespace, spaces), pods, read))


async def _spaces(client: Client, namespace: str | None) -> tuple[Object, ...]:
    return await client.list(NAMESPACES) if namespace is None else (await client.get(NAMESPACES, namespace),)


def _revision(found: Configured, since: str) -> Revision:
    if isinstance(found, MeshConfiguration):
        return Revision(found, sidecar(found).fingerprint, since)
    return Revision(MeshConfiguration(), "", since)


def _problem(found: Configured) -> str:
    match found:
        case MeshConfiguration():
            return ""
        case NoConfiguration(what):
            return what
        case BadConfiguration(problems):
            return f"its configuration cannot be used: {'; '.join(problems)}"
