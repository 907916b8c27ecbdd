"""The taint goes from a node, and nothing else of it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kube.client import Client, connected
from kube.until import cancelled
from node.taint import TAINT, lift, lifted
from support.api_server import ApiServer, running_api_server

OTHERS = st.lists(st.fixed_dictionaries({"key": st.sampled_from(["a/b", "node.kubernetes.io/not-ready", ""])}))
PATH = "/api/v1/nodes/n"
OFTEN = 0.01


def node(taints: Any) -> Any:
    return {"metadata": {"name": "n", "resourceVersion": "7"}, "spec": {"podCIDR": "10.0.0.0/24", "taints": taints}}


@given(OTHERS, OTHERS, st.sampled_from(["NoSchedule", "NoExecute", "PreferNoSchedule"]))
def test_other_taints_stay_in_their_order(before: list[Any], behind: list[Any], effect: str) -> None:
    patch = lifted(node([*before, {"key": TAINT, "effect": effect}, *behind]))
    assert patch == {"metadata": {"resourceVersion": "7"}, "spec": {"taints": [*before, *behind] or None}}


@given(OTHERS)
def test_a_node_without_it_is_let_be(taints: list[Any]) -> None:
    assert lifted(node(taints)) is None
    assert lifted({"metadata": {"resourceVersion": "7"}, "spec": {}}) is None


@pytest.fixture
async def api() -> AsyncIterator[ApiServer]:
    async with running_api_server() as server:
        yield server


@pytest.fixture
async def client(api: ApiServer, tmp_path: Path) -> AsyncIterator[Client]:
    async with connected(api.kubeconfig(tmp_path)) as client:
        yield client


async def test_a_node_that_is_registered_anew_while_its_agent_runs_on_loses_it_again(
    api: ApiServer, client: Client
) -> None:
    await registered(api)
    lifting = asyncio.create_task(lift(client, "n", lambda: True, asyncio.Event(), OFTEN))
    try:
        await free(api)
        await api.remove(PATH)
        await registered(api)
        await free(api)
    finally:
        await cancelled(lifting)


async def registered(api: ApiServer) -> None:
    await api.put(PATH, spec={"taints": [{"key": TAINT, "effect": "NoSchedule"}]})


async def free(api: ApiServer) -> None:
    """Until no taint is on the node."""
    async with asyncio.timeout(30):
        while api.found(PATH)["spec"].get("taints"):  # noqa: ASYNC110 - of a server that tells nobody
            await asyncio.sleep(OFTEN)
