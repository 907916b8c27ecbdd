import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook.namespaces import Namespaces, labels_of

ENABLED = {"proa.dev/inject": "enabled"}


class Known:
    """What an Index knows, without an API server."""

    def __init__(self) -> None:
        self.known: dict[str, Mapping[str, str]] = {}
        self.tell: list[Callable[..., None]] = []

    def get(self, namespace: str | None, name: str) -> Mapping[str, str] | None:
        assert not namespace
        return self.known.get(name)

    def subscribe(self, callback: Callable[..., None]) -> None:
        self.tell.append(callback)

    def put(self, name: str, labels: Mapping[str, str]) -> None:
        self.known[name] = labels
        for callback in self.tell:
            callback(("", name), labels)


@pytest.fixture
def known() -> Known:
    return Known()


async def test_labels_are_answered_from_memory(known: Known) -> None:
    namespaces = Namespaces(known)
    known.put("shop", ENABLED)
    assert namespaces.labels("shop") == ENABLED
    assert namespaces.labels("other") is None
    assert await namespaces.arrival("shop") == ENABLED


async def test_one_that_arrives_wakes_all_who_wait_for_it_and_nobody_else(known: Known) -> None:
    namespaces = Namespaces(known)
    waiting = [asyncio.create_task(namespaces.arrival("shop")) for _ in range(3)]
    other = asyncio.create_task(namespaces.arrival("other"))
    await asyncio.sleep(0)
    known.put("third", {})
    await asyncio.sleep(0)
    assert not any(task.done() for task in (*waiting, other))
    known.put("shop", ENABLED)
    async with asyncio.timeout(0.5):
        assert await asyncio.gather(*waiting) == [ENABLED] * 3
    assert not other.done()
    other.cancel()


async def test_one_that_does_not_arrive_is_not_waited_for_long(known: Known, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("webhook.namespaces.ARRIVAL_SECONDS", 0.05)
    assert await Namespaces(known).arrival("gone") is None


def test_all_labels_are_kept_as_the_configuration_may_select_by_any() -> None:
    labels = {**ENABLED, "kubernetes.io/metadata.name": "shop", "team": "a", "proa.device/x": "y"}
    assert labels_of({"metadata": {"name": "shop", "labels": labels}}) == labels


@given(st.none() | st.dictionaries(st.text(), st.none() | st.dictionaries(st.text(), st.text())))
def test_whatever_a_namespace_is_made_of_has_labels(found: Any) -> None:
    assert isinstance(labels_of(found), dict)
