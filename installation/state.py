"""What is installed as one revision, as values that checks can look at. Pure."""

from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from installation.deployments import Deployment
from installation.rehearsal import Rehearsal
from installation.survey import Cluster, Entry, Part, Unread, known
from proa import names
from proa.mesh import MeshConfiguration
from proa.programming import ByPod, Programming


@dataclass(frozen=True, slots=True)
class NoConfiguration:
    """The ConfigMap, or its key, is not there: *what* is missing."""

    what: str


@dataclass(frozen=True, slots=True)
class BadConfiguration:
    """It does not parse: a line for each problem."""

    problems: tuple[str, ...]


Configured: TypeAlias = MeshConfiguration | NoConfiguration | BadConfiguration
SHARED: Final = frozenset({names.AUTHORITY, names.NODE_AGENT})
"""What runs once for all revisions."""


@dataclass(frozen=True, slots=True)
class Installation:
    """What is installed as *revision* ("" is the default one), and *version* is the command's own.

    *bundles* counts the roots that the authority has published.
    """

    revision: str
    version: str
    cluster: Cluster
    deployments: Part[tuple[Deployment, ...]]
    configuration: Part[Configured]
    bundles: Part[tuple[str, ...]]
    rehearsal: Part[Rehearsal]

    @property
    def programming(self) -> Programming:
        """Who programs pods, as far as the configuration tells."""
        return self.configuration.interception if isinstance(self.configuration, MeshConfiguration) else ByPod()

    @property
    def registration(self) -> str:
        return f"{names.WEBHOOK}-{self.revision}" if self.revision else names.WEBHOOK

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The webhooks of this revision's registration."""
        return tuple(each for each in known(self.cluster.entries) if each.configuration == self.registration)


def own(survey: Installation) -> Installation:
    """*survey* of what its revision needs to work: without the webhooks of other revisions."""
    if isinstance(survey.deployments, Unread):
        return survey
    needed = SHARED | {survey.registration}
    return replace(survey, deployments=tuple(each for each in survey.deployments if each.name in needed))


def looked_at(present: frozenset[str]) -> str:
    """The revision that is meant where none is named: the default one, unless another is the only one *present*."""
    others = present - {""}
    return next(iter(others)) if len(others) == 1 and others == present else ""


def registered(entries: tuple[Entry, ...]) -> frozenset[str]:
    """The revisions that have a registration; "" is the default one."""
    own = {each.configuration for each in entries if each.service.startswith(f"{names.SYSTEM_NAMESPACE}/")}
    return frozenset(
        name.removeprefix(names.WEBHOOK).removeprefix("-") for name in own if name.startswith(names.WEBHOOK)
    )
