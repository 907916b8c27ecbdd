"""Waiting for what was applied or removed, while the API server is away for a moment: it may be what is restarted."""

from typing import Any

import pytest

from installation import apply
from installation.objects import objects
from installation.options import Options
from installation.progress import wanted
from installation.survey import Unread
from kube.client import Client
from kube.failures import Forbidden
from proa.json import Json
from support.store import Store

WANTED = objects(Options())


@pytest.fixture(autouse=True)
def _without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apply, "INTERVAL", 0.0)


def ready(each: Any) -> Any:
    match each["kind"]:
        case "Deployment":
            count = each["spec"]["replicas"]
            counts = {"replicas": count, "updatedReplicas": count, "availableReplicas": count}
            return {**each, "status": {"observedGeneration": 1, **counts}}
        case "MutatingWebhookConfiguration":
            entries = [
                {**entry, "clientConfig": {**entry["clientConfig"], "caBundle": "eA=="}} for entry in each["webhooks"]
            ]
            return {**each, "webhooks": entries}
        case _:
            return each


def away_for(store: Store, calls: int) -> None:
    """As many calls as that are answered by nobody."""
    left = [calls]

    def refused(_: object) -> int:
        left[0] -= 1
        return 503 if left[0] >= 0 else 0

    store.refused = refused


async def test_a_moment_without_an_answer_does_not_end_the_waiting_for_what_was_applied() -> None:
    store, told = Store(), list[str]()
    store.put(*map(ready, WANTED))
    away_for(store, 3)
    awaited = wanted(WANTED, Unread("nowhere to try it"))
    assert await apply.wait_ready(Client(store), awaited, told.append, 30) == ()


async def test_nor_for_what_was_removed() -> None:
    store = Store()
    away_for(store, 3)
    gone: tuple[Json, ...] = WANTED[:2]
    assert await apply.wait_gone(Client(store), gone, 30) == ()


async def test_what_is_not_ready_in_time_is_told() -> None:
    store, told = Store(), list[str]()
    store.put(*WANTED)
    awaited = wanted(WANTED, Unread("nowhere to try it"))
    expected = ("proa-ca: 0 of 2 pods ready", "proa-webhook: 0 of 2 pods ready", "the registration has no caBundle yet")
    assert await apply.wait_ready(Client(store), awaited, told.append, 0) == expected
    assert told == ["\n".join(expected)]


async def test_what_no_waiting_mends_ends_it() -> None:
    store = Store()
    store.refused = lambda _: 403
    with pytest.raises(Forbidden):
        await apply.wait_gone(Client(store), WANTED[:1], 30)
