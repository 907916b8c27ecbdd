"""Makes the checks of a cluster and, where Proa is installed, of it. Shell: reads; the tables judge."""

from dataclasses import dataclass

from installation.checks import Row, problems, rows
from installation.options import DEFAULT_REVISION
from installation.planning import Given, needed
from installation.postflight import POSTFLIGHT
from installation.preflight import PREFLIGHT
from installation.reading import read_cluster, read_installation
from installation.state import Installation, registered
from installation.survey import Cluster, known
from kube.client import Client
from proa.release import VERSION


@dataclass(frozen=True, slots=True)
class Report:
    """*scope* is `cluster` before Proa is installed, and `installation` after."""

    scope: str
    rows: tuple[Row, ...]
    conclusion: str


async def checked(client: Client, revision: str, *, pre: bool) -> Report:
    """The checks that make sense: of the cluster, and of the installation if there is any and *pre* does not refuse.

    Raises Unreachable and Unauthenticated of kube.failures, and Refused for a revision that cannot be one.
    """
    name = "" if revision == DEFAULT_REVISION else revision
    asked = needed(name, Given())
    if not pre:
        installed = await read_installation(client, await read_cluster(client), name, VERSION)
        if _anything(installed):
            return installation_report(installed)
    return cluster_report(await read_cluster(client, asked))


def cluster_report(cluster: Cluster) -> Report:
    found = rows(PREFLIGHT, cluster)
    conclusion = "Proa cannot be installed: see the problems above." if problems(found) else "Proa can be installed."
    return Report("cluster", found, conclusion)


def installation_report(installed: Installation) -> Report:
    found = (*rows(PREFLIGHT, installed.cluster), *rows(POSTFLIGHT, installed))
    conclusion = "Proa has problems: see above." if problems(found) else "Proa works."
    return Report("installation", found, conclusion)


def _anything(installed: Installation) -> bool:
    """Whether anything of Proa is there: what is left of an installation is judged as one."""
    return bool(known(installed.deployments) or registered(known(installed.cluster.entries)))
