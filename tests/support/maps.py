"""A cluster of namespaces and ConfigMaps, and a replica that keeps the roots in them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from ca.maps.door import maps_door
from ca.maps.keeping import Joined
from ca.maps.metrics import Metrics as MapsMetrics
from ca.metrics import Metrics
from ca.reports import Reports
from ca.storage import LiveMaterial
from ca.surroundings import Surroundings
from kube.client import Client
from kube.configuration import LiveConfiguration
from proa.clock import Clock
from support.api_server import ApiServer, status
from support.ceremonies import issuing

CONFIGURATION = "/api/v1/namespaces/proa-system/configmaps/proa"
KEPT = '{"authority": {"roots": {"kind": "config-maps"}}}'


class Cluster(ApiServer):
    """Refuses, as server-side apply does, what is another manager's unless it is forced; nobody may at *forbidden*."""

    def __init__(self) -> None:
        super().__init__(page=1000)
        self.forbidden: set[str] = set()

    async def configure(self, document: str) -> None:
        await self.put(CONFIGURATION, data={"mesh.yaml": document})

    async def namespace(self, name: str, **labels: str) -> None:
        await self.put(f"/api/v1/namespaces/{name}", metadata={"labels": labels})

    def config_map(self, namespace: str, name: str = "proa-roots") -> Any:
        return self._objects.get(f"/api/v1/namespaces/{namespace}/configmaps/{name}")

    @property
    def issuer(self) -> Any:
        return self.found("/api/v1/namespaces/proa-system/secrets/proa-ca")

    @property
    def paths(self) -> set[str]:
        return set(self._objects)

    def found(self, path: str) -> Any:
        return self._objects[path]

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        if request.method in {"PATCH", "DELETE"} and "/configmaps/" in request.path:
            if request.path.split("/")[4] in self.forbidden:
                return web.json_response(status(403, "Forbidden"), status=403)
            if request.path in self._objects and request.query.get("force") == "false":
                return web.json_response(status(409, "Conflict"), status=409)
        return await super()._answer(request)


@dataclass
class Replica:
    material: LiveMaterial
    metrics: Metrics
    propagated: list[str]

    @property
    def roots(self) -> str:
        assert self.material.authority
        return self.material.authority.trust_bundle

    def sample(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(f"proa_ca_roots_maps_{name}", labels) or 0.0


@asynccontextmanager
async def keeping(client: Client, clock: Clock) -> AsyncIterator[Replica]:
    """A replica that leads."""
    metrics, stopping, propagated = Metrics(), asyncio.Event(), list[str]()
    configuration, reports = LiveConfiguration(client, "proa", metrics.registry), Reports(client, clock)
    material = LiveMaterial(client, configuration, clock, metrics, reports, issuing(client, clock))
    around = Surroundings(client, material, configuration, clock, reports, MapsMetrics(metrics.registry))
    door = maps_door(around, Joined(lambda: propagated.append("all"), lambda: ""))
    async with asyncio.TaskGroup() as group:
        for part in (configuration.service, material.service, reports.service, door.keep):
            group.create_task(part(stopping))
        try:
            yield Replica(material, metrics, propagated)
        finally:
            stopping.set()
