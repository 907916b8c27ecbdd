"""The Secret `proa-ca` as a replica of the authority follows it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from ca.custody import Keeper, nobody
from ca.metrics import Metrics
from ca.reports import Reports
from ca.storage import LiveMaterial
from kube.client import Client
from kube.configuration import LiveConfiguration
from support.ceremonies import issuing
from support.reaching import reached


@asynccontextmanager
async def followed(client: Client, clock: Any, keeper: Keeper = nobody) -> AsyncIterator[LiveMaterial]:
    metrics, stopping = Metrics(), asyncio.Event()
    configuration = LiveConfiguration(client, "proa", metrics.registry)
    means = issuing(client, clock, keeper, again=0.01)
    material = LiveMaterial(client, configuration, clock, metrics, Reports(client, clock), means)
    async with asyncio.TaskGroup() as group:
        for part in (configuration.service, material.service):
            group.create_task(part(stopping))
        try:
            await reached(lambda: material.current)
            yield material
        finally:
            stopping.set()
