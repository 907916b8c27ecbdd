"""Installs and upgrades: looks first, changes nothing where something is wrong, then applies and waits. Shell."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from installation import progress
from installation.apply import Told, apply, planned, remove, wait_ready
from installation.changes import Keep, Step, title
from installation.checks import Failed, NotMade, Row, problems, rows
from installation.configuration import mesh
from installation.installed import Found
from installation.options import Options
from installation.planning import Given, needed, surplus
from installation.postflight import ABOUT_OTHERS, POSTFLIGHT
from installation.preflight import PREFLIGHT
from installation.present import read_found, read_objects
from installation.reading import read_cluster, read_installation, read_programming
from installation.rehearsal import stage
from installation.state import own
from kube.client import Client
from proa.json import Json
from proa.programming import Programming
from proa.release import VERSION

Planning: TypeAlias = Callable[[Found, str, Given], tuple[Json, ...]]
"""`planning.installing` or `planning.upgrading`."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What an admin asks for. *ignored* are the codes of checks that are not to keep Proa out; *seconds* to wait until
    it is ready, none for 0.
    """

    revision: str
    given: Given
    ignored: frozenset[str]
    dry_run: bool
    force: bool
    seconds: float


@dataclass(frozen=True, slots=True)
class Refused:
    """The cluster is not fit: nothing was changed."""

    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Planned:
    """A dry run: nothing was changed."""

    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Started:
    """It was applied, and nobody waited until it was ready."""

    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Applied:
    """It was applied; *outstanding* is what was not ready in time, *rows* what is wrong or unknown afterwards."""

    steps: tuple[Step, ...]
    outstanding: tuple[str, ...]
    rows: tuple[Row, ...]


Outcome: TypeAlias = Refused | Planned | Started | Applied
_WITHOUT_WAITING: Final = 0


async def run(client: Client, planning: Planning, asked: Asked, told: Told) -> Outcome:
    """Installs or upgrades. Raises what *planning* raises, NotApplicable, Interrupted, and whatever the API server
    refuses before anything is changed.
    """
    told("looking at the cluster")
    cluster = await read_cluster(client, needed(asked.revision, asked.given))
    cluster = replace(cluster, programming=await _programming(client, asked))
    unfit = tuple(row for row in problems(rows(PREFLIGHT, cluster)) if row.code not in asked.ignored)
    if unfit:
        return Refused(unfit)
    wanted = planning(await read_found(client), asked.revision, asked.given)
    unwanted = surplus(await read_objects(client), wanted, asked.revision)
    steps = await planned(client, wanted, unwanted, force=asked.force)
    if asked.dry_run:
        return Planned(steps)
    different = {each.title for each in changed(steps)}
    await apply(client, (each for each in wanted if title(each) in different), told, force=asked.force)
    await remove(client, unwanted, told)
    if asked.seconds <= _WITHOUT_WAITING:
        return Started(steps)
    awaited = progress.wanted(wanted, stage(asked.revision, cluster.namespaces))
    waiting = await wait_ready(client, awaited, told, asked.seconds)
    return Applied(steps, waiting, await _afterwards(client, asked.revision))


async def _programming(client: Client, asked: Asked) -> Programming:
    """Of the mesh that is asked for, or else of the one that is there."""
    if asked.given.mesh is None:
        return await read_programming(client, asked.revision)
    return mesh(asked.given.laid_on(Options(revision=asked.revision))).interception


def changed(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """Those that change anything."""
    return tuple(each for each in steps if not isinstance(each, Keep))


async def _afterwards(client: Client, revision: str) -> tuple[Row, ...]:
    cluster = await read_cluster(client)
    report = rows(POSTFLIGHT, own(await read_installation(client, cluster, revision, VERSION)))
    concerning = (row for row in report if row.code not in ABOUT_OTHERS)
    return tuple(row for row in concerning if isinstance(row.outcome, Failed | NotMade))
