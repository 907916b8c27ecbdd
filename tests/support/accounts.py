"""An API server that keeps Secrets as the real one does, as far as it matters, and a replica that keeps them."""

import asyncio
import json
from base64 import b64decode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from ca.accounts.door import accounts_door
from ca.accounts.metrics import Metrics as AccountsMetrics
from ca.duty import ConfiguredDuty
from ca.metrics import Metrics
from ca.reports import Reports
from ca.storage import LiveMaterial
from ca.surroundings import Surroundings
from kube.client import Client
from kube.configuration import LiveConfiguration
from proa.clock import Clock
from support.api_server import ApiServer, status
from support.ceremonies import issuing

KEPT = json.dumps({"authority": {"secrets": {"kind": "service-accounts"}}})
CONFIGURATION = "/api/v1/namespaces/proa-system/configmaps/proa"


class Cluster(ApiServer):
    """Selects Secrets by label, merges patches, and lets nobody at those of *forbidden* namespaces."""

    def __init__(self) -> None:
        super().__init__(page=1000)
        self.forbidden: set[str] = set()
        self.losing_writes = False
        """Whether it takes what is written to Secrets and hangs up before it says so."""

    async def configure(self, document: str) -> None:
        await self.put(CONFIGURATION, data={"mesh.yaml": document})

    async def namespace(self, name: str, *accounts: str, **labels: str) -> None:
        await self.put(f"/api/v1/namespaces/{name}", metadata={"labels": labels})
        for account in accounts:
            await self.account(name, account)

    async def account(self, namespace: str, name: str, uid: str = "") -> None:
        uid = uid or f"uid-of-{name}"
        await self.put(f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}", metadata={"uid": uid})

    def secret(self, namespace: str, name: str) -> Any:
        return self._objects.get(f"/api/v1/namespaces/{namespace}/secrets/{name}")

    def pem(self, namespace: str, name: str, key: str) -> bytes:
        return b64decode(self.secret(namespace, name)["data"][key])

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        place = request.path.split("/")
        if place[-2:-1] != ["namespaces"] and "secrets" in place and place[4] in self.forbidden:
            return web.json_response(status(403, "Forbidden"), status=403)
        answer = await super()._answer(request)
        if self.losing_writes and "secrets" in place and request.method in {"POST", "PATCH"}:
            assert request.transport is not None
            request.transport.abort()
        return answer

    def _list(self, request: web.Request) -> web.Response:
        found = json.loads(super()._list(request).text or "")
        wanted = dict(pair.split("=") for pair in request.query.get("labelSelector", "").split(",") if pair)
        found["items"] = [
            each for each in found["items"] if wanted.items() <= each["metadata"].get("labels", {}).items()
        ]
        return web.json_response(found)

    async def _change(self, method: str, path: str, body: dict[str, Any]) -> web.Response:
        if method != "PATCH" or "/secrets/" not in path:
            return await super()._change(method, path, body)
        old = self._objects.get(path)
        if old is None:
            return web.json_response(status(404, "NotFound"), status=404)
        version = body["metadata"].pop("resourceVersion")
        if version != old["metadata"]["resourceVersion"]:
            return web.json_response(status(409, "Conflict"), status=409)
        return web.json_response(await self._write("MODIFIED", path, _merged(old, body)))


def _merged(old: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    """RFC 7396, without removals."""
    merged = dict(old)
    for key, value in patch.items():
        nested = isinstance(value, dict) and isinstance(old.get(key), dict)
        merged[key] = _merged(old[key], value) if nested else value
    return merged


@dataclass
class Replica:
    door: ConfiguredDuty
    material: LiveMaterial
    metrics: Metrics

    def count(self, step: str, reason: str) -> float:
        labels = {"step": step, "reason": reason}
        return self.metrics.registry.get_sample_value("proa_ca_secrets_total", labels) or 0.0


@asynccontextmanager
async def keeping(client: Client, clock: Clock) -> AsyncIterator[Replica]:
    """A replica that leads."""
    metrics, stopping = Metrics(), asyncio.Event()
    configuration = LiveConfiguration(client, "proa", metrics.registry)
    reports = Reports(client, clock)
    material = LiveMaterial(client, configuration, clock, metrics, reports, issuing(client, clock))
    door = accounts_door(
        Surroundings(client, material, configuration, clock, reports, AccountsMetrics(metrics.registry))
    )
    async with asyncio.TaskGroup() as group:
        for part in (configuration.service, material.service, reports.service, door.keep):
            group.create_task(part(stopping))
        try:
            yield Replica(door, material, metrics)
        finally:
            stopping.set()
