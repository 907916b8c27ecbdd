"""Makes the checks of a cluster and, where Proa is installed, of it. Shell: reads; the tables judge."""

from dataclasses import dataclass, replace

from installation.checks import NotMade, Row, problems, rows
from installation.options import DEFAULT_REVISION
from installation.planning import Given, named, needed
from installation.postflight import POSTFLIGHT
from installation.preflight import PREFLIGHT
from installation.reading import read_cluster, read_installation
from installation.state import Installation, looked_at, registered
from installation.survey import Cluster, known
from kube.client import Client
from proa.release import VERSION


@dataclass(frozen=True, slots=True)
class Report:
    """*scope* is `cluster` before Proa is installed, and `installation` after: of *revision*, "" is the default one."""

    scope: str
    revision: str
    rows: tuple[Row, ...]
    conclusion: str


async def checked(client: Client, revision: str | None, *, pre: bool) -> Report:
    """The checks that make sense: of the cluster, and of the installation if there is any and *pre* does not refuse.

    *revision* None is the one that `looked_at` tells.
    Raises Unreachable and Unauthenticated of kube.failures, and Refused for a revision that cannot be one.
    """
    name = "" if revision == DEFAULT_REVISION else revision
    asked = needed(name or "", Given())
    if not pre:
        cluster = await read_cluster(client)
        found = looked_at(registered(known(cluster.entries))) if name is None else name
        installed = await read_installation(client, cluster, found, VERSION)
        if _anything(installed):
            return _installation_report(installed)
    return _cluster_report(await read_cluster(client, asked), name or "")


def _cluster_report(cluster: Cluster, revision: str) -> Report:
    found = rows(PREFLIGHT, cluster)
    conclusion = _conclusion(found, "Proa can be installed", "Proa cannot be installed: see the problems above.")
    return Report("cluster", revision, found, conclusion)


def _installation_report(installed: Installation) -> Report:
    cluster = replace(installed.cluster, programming=installed.programming)
    found = (*rows(PREFLIGHT, cluster), *rows(POSTFLIGHT, installed))
    which = f", {named(installed.revision)}," if installed.revision else ""
    conclusion = _conclusion(found, f"Proa{which} works", f"Proa{which} has problems: see above.")
    return Report("installation", installed.revision, found, conclusion)


def _conclusion(found: tuple[Row, ...], good: str, bad: str) -> str:
    unmade = sum(isinstance(row.outcome, NotMade) for row in found)
    if problems(found):
        return bad
    return f"{good}, as far as can be seen: {unmade} checks could not be made." if unmade else f"{good}."


def _anything(installed: Installation) -> bool:
    """Whether anything of Proa is there: what is left of an installation is judged as one."""
    return bool(known(installed.deployments) or registered(known(installed.cluster.entries)))
