"""What an index knows, while the API server forgets, breaks off, goes away and comes back."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from kube.calls import Selection, Selectors
from kube.client import Client
from kube.failures import ApiRefused, Unreachable
from kube.index import Index
from kube.resources import CONFIG_MAPS, Key
from proa.errors import Invalid
from proa.json import Json
from support.api_server import ApiServer
from support.reaching import reached

SHOP = "/api/v1/namespaces/shop/configmaps"
EVERY = Selection()


def data(config_map: Json) -> Json:
    """What the tests follow of a ConfigMap."""
    assert isinstance(config_map, dict)
    if config_map.get("data") == "unusable":
        raise Invalid("data", "'unusable'", "anything else")
    return config_map.get("data")


@asynccontextmanager
async def following(client: Client, selection: Selection = EVERY) -> AsyncIterator[Index[Json]]:
    index, stopping = Index(client, CONFIG_MAPS, selection, data, chance=lambda: 0.0), asyncio.Event()
    task = asyncio.create_task(index.service(stopping))
    try:
        yield index
    finally:
        stopping.set()
        async with asyncio.timeout(10):
            await task


def watches(server: ApiServer) -> list[str]:
    return [request for request in server.requests if "watch=true" in request]


def lists(server: ApiServer) -> list[str]:
    """First pages."""
    return [request for request in server.requests if "watch=true" not in request and "continue" not in request]


async def test_all_pages_are_listed_and_then_changes_are_followed(client: Client, api_server: ApiServer) -> None:
    for name in "abcde":
        await api_server.put(f"{SHOP}/{name}", data={"v": name})
    async with following(client) as index:
        await index.synced.wait()
        assert {key.name: value for key, value in index.items()} == {name: {"v": name} for name in "abcde"}
        await api_server.put(f"{SHOP}/a", data={"v": "new"})
        await api_server.remove(f"{SHOP}/b")
        await reached(lambda: index.get("shop", "b") is None and index.get("shop", "a") == {"v": "new"})
        assert len(index.values()) == 4
        assert len(lists(api_server)) == 1


async def test_a_subscriber_is_told_what_is_there_and_then_each_change_once(
    client: Client, api_server: ApiServer
) -> None:
    await api_server.put(f"{SHOP}/a", data="one")
    told: list[tuple[Key, Json]] = []
    async with following(client) as index:
        await index.synced.wait()
        index.subscribe(lambda key, value: told.append((key, value)))
        await api_server.put(f"{SHOP}/a", data="one", metadata={"labels": {"not": "followed"}})
        await api_server.put(f"{SHOP}/a", data="two")
        await api_server.remove(f"{SHOP}/a")
        await reached(lambda: index.get("shop", "a") is None)
    key = Key("shop", "a")
    assert told == [(key, "one"), (key, "two"), (key, None)]


async def test_a_watch_that_breaks_off_in_the_middle_goes_on_where_it_was(
    client: Client, api_server: ApiServer
) -> None:
    await api_server.put(f"{SHOP}/a", data="one")
    async with following(client) as index:
        await reached(lambda: watches(api_server))
        await api_server.mark()
        await asyncio.sleep(0.1)
        await api_server.send_away()
        await api_server.put(f"{SHOP}/a", data="two")
        await reached(lambda: index.get("shop", "a") == "two")
        assert len(lists(api_server)) == 1
        # From the bookmark, which is newer than the list.
        assert "resourceVersion=101" in watches(api_server)[0]
        assert "resourceVersion=102" in watches(api_server)[1]


async def test_a_watch_that_ends_properly_in_the_middle_of_a_line_is_listed_again(
    client: Client, api_server: ApiServer
) -> None:
    api_server.breaks_properly = True
    await api_server.put(f"{SHOP}/a", data="one")
    async with following(client) as index:
        await reached(lambda: watches(api_server))
        await asyncio.sleep(0.1)
        await api_server.send_away()
        await api_server.put(f"{SHOP}/a", data="two")
        await reached(lambda: index.get("shop", "a") == "two" and index.problem is None)
        assert len(lists(api_server)) == 2


async def test_after_410_gone_it_is_listed_again_and_what_was_missed_is_told(
    client: Client, api_server: ApiServer
) -> None:
    for name in "abc":
        await api_server.put(f"{SHOP}/{name}", data=name)
    told: list[tuple[str, Json]] = []
    async with following(client) as index:
        await reached(lambda: watches(api_server))
        index.subscribe(lambda key, value: told.append((key.name, value)))
        await api_server.stop()
        await api_server.remove(f"{SHOP}/a")
        await api_server.put(f"{SHOP}/b", data="new")
        api_server.forget()
        await api_server.start()
        await reached(lambda: len(told) == 5)
        assert told == [("a", "a"), ("b", "b"), ("c", "c"), ("a", None), ("b", "new")]
        assert len(lists(api_server)) == 2
        await reached(lambda: index.problem is None)


async def test_while_the_api_server_is_away_the_last_that_was_known_stays_and_the_problem_is_named(
    client: Client, api_server: ApiServer
) -> None:
    await api_server.put(f"{SHOP}/a", data="one")
    async with following(client) as index:
        await reached(lambda: watches(api_server))
        await api_server.stop()
        await reached(lambda: isinstance(index.problem, Unreachable) and "refused" in str(index.problem))
        assert index.get("shop", "a") == "one"
        before = index.behind
        await reached(lambda: index.behind > before)
        assert index.synced.is_set()
        await api_server.put(f"{SHOP}/a", data="two")
        await api_server.start()
        await reached(lambda: index.get("shop", "a") == "two" and index.problem is None)
        assert index.behind == 0


async def test_an_api_server_that_is_overloaded_is_left_alone_for_as_long_as_it_asks(
    client: Client, api_server: ApiServer
) -> None:
    api_server.refusing = (429, "TooManyRequests", {"Retry-After": "2"})
    loop = asyncio.get_running_loop()
    begun = loop.time()
    async with following(client) as index:
        await reached(lambda: isinstance(index.problem, ApiRefused))
        api_server.refusing = None
        await reached(index.synced.is_set)
        assert loop.time() - begun >= 2
        assert len(lists(api_server)) == 2


async def test_only_what_is_selected_is_asked_for(client: Client, api_server: ApiServer) -> None:
    await api_server.put(f"{SHOP}/a", data="one")
    await api_server.put(f"{SHOP}/b", data="one")
    selection = Selection("shop", Selectors(field="metadata.name=a"))
    async with following(client, selection) as index:
        await index.synced.wait()
        assert [key.name for key, _ in index.items()] == ["a"]
        await reached(lambda: watches(api_server))
        assert all("fieldSelector=metadata.name%3Da" in request for request in api_server.requests)


async def test_an_object_that_cannot_be_used_is_absent_and_hides_no_other(
    client: Client, api_server: ApiServer
) -> None:
    await api_server.put(f"{SHOP}/a", data="unusable")
    await api_server.put(f"{SHOP}/b", data="one")
    async with following(client) as index:
        await index.synced.wait()
        assert index.values() == ("one",)
        await api_server.put(f"{SHOP}/a", data="usable")
        await reached(lambda: index.get("shop", "a") == "usable")
        await api_server.put(f"{SHOP}/a", data="unusable")
        await reached(lambda: index.get("shop", "a") is None)


async def test_an_object_without_a_name_hides_no_other(client: Client, api_server: ApiServer) -> None:
    await api_server.put(f"{SHOP}/a", data="one", metadata={"name": None})
    await api_server.put(f"{SHOP}/b", data="one")
    async with following(client) as index:
        await reached(index.synced.is_set)
        assert [key.name for key, _ in index.items()] == ["b"]


@pytest.mark.parametrize("away", [True, False])
async def test_it_stops_at_once(client: Client, api_server: ApiServer, away: bool) -> None:
    if away:
        api_server.refusing = (503, "ServiceUnavailable", {})
    async with following(client), asyncio.timeout(10):
        await reached(lambda: api_server.requests)
