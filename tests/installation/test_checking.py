"""Which checks `proa check` makes, and of which revision."""

from typing import Any

import pytest

from installation.checking import Report, checked
from installation.checks import NotMade
from installation.objects import objects
from installation.options import Options, Scope
from installation.postflight import POSTFLIGHT
from installation.preflight import PREFLIGHT
from kube.client import Client
from proa.errors import Refused
from support.store import Store

CLUSTER, INSTALLATION = len(PREFLIGHT), len(PREFLIGHT) + len(POSTFLIGHT)


async def report(*installed: Any, revision: str | None = None, pre: bool = False) -> Report:
    store = Store()
    store.put(*installed)
    return await checked(Client(store), revision, pre=pre)


def of(revision: str) -> tuple[Any, ...]:
    return objects(Options(revision=revision, scope=Scope.REVISION))


async def test_where_nothing_is_installed_the_cluster_is_checked() -> None:
    found = await report()
    assert (found.scope, len(found.rows)) == ("cluster", CLUSTER)


async def test_where_something_is_installed_that_is_checked_too_unless_it_is_not_asked_for() -> None:
    assert len((await report(*objects(Options()))).rows) == INSTALLATION
    assert len((await report(*objects(Options()), pre=True)).rows) == CLUSTER


@pytest.mark.parametrize(
    ("installed", "named", "looked_at"),
    [
        ([""], None, ""),
        (["", "blue"], None, ""),
        (["blue"], None, "blue"),
        (["blue", "green"], None, ""),
        (["", "blue"], "blue", "blue"),
        (["blue"], "default", ""),
    ],
)
async def test_the_revision_that_is_looked_at_is_the_named_or_the_default_one_or_the_only_one(
    installed: list[str], named: str | None, looked_at: str
) -> None:
    present = [each for revision in installed for each in of(revision)]
    found = await report(*objects(Options(scope=Scope.SHARED)), *present, revision=named)
    assert (found.scope, found.revision) == ("installation", looked_at)
    missing = [row for row in found.rows if row.code == "registration_missing" and "missing" in str(row.outcome)]
    assert bool(missing) is (looked_at not in installed)


async def test_what_could_not_be_looked_at_is_not_called_good() -> None:
    store = Store()
    store.refused = lambda call: 403 if call.path == "/api/v1/nodes" else 0
    found = await checked(Client(store), None, pre=True)
    unmade = sum(isinstance(row.outcome, NotMade) for row in found.rows)
    assert unmade > 1
    assert found.conclusion == f"Proa can be installed, as far as can be seen: {unmade} checks could not be made."


async def test_a_revision_that_cannot_be_one_is_refused() -> None:
    with pytest.raises(Refused, match="revision"):
        await report(revision="Canary")
