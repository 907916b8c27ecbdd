"""A server of the test's own, and a client that is connected to it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from kube.client import Client, connected
from support.api_server import ApiServer, running_api_server


@pytest.fixture
async def api_server() -> AsyncIterator[ApiServer]:
    async with running_api_server() as server:
        yield server


@pytest.fixture
async def client(api_server: ApiServer, tmp_path: Path) -> AsyncIterator[Client]:
    async with connected(api_server.kubeconfig(tmp_path)) as client:
        yield client
