"""An API server that takes one answer to a CertificateSigningRequest, as the real one, and a replica that answers."""

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec

from ca.csr import stub_request
from ca.csrs.keeping import signing_requests
from ca.csrs.metrics import Metrics as CsrMetrics
from ca.metrics import Metrics
from ca.reports import Reports
from ca.storage import LiveMaterial
from ca.surroundings import Surroundings
from kube.client import Client
from kube.configuration import LiveConfiguration
from proa.clock import system_clock
from support.api_server import ApiServer, status
from support.ceremonies import issuing

CONFIGURATION = "/api/v1/namespaces/proa-system/configmaps/proa"
OPEN = '{"authority": {"requests": {"kind": "certificate-signing-requests"}}}'
PLACE = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
USAGES = ["digital signature", "key encipherment", "server auth", "client auth"]
APPROVED = [{"type": "Approved", "status": "True", "reason": "Test"}]


def csr(key: Any = None) -> str:
    return b64encode(stub_request(key or ec.generate_private_key(ec.SECP256R1()))).decode()


def spec(**changed: Any) -> dict[str, Any]:
    """Of what the pod web of the namespace shop asks, as the API server writes it down."""
    return {
        "signerName": "proa.dev/workload",
        "request": csr(),
        "usages": USAGES,
        "username": "system:serviceaccount:shop:web",
        "uid": "uid-of-web",
        "groups": ["system:serviceaccounts", "system:serviceaccounts:shop", "system:authenticated"],
        "extra": {
            "authentication.kubernetes.io/pod-name": ["web-1"],
            "authentication.kubernetes.io/pod-uid": ["uid-of-web-1"],
        },
        **changed,
    }


class Cluster(ApiServer):
    losing_answers = False
    """Whether it takes the answer to a request and hangs up before it says so."""
    answers = 0

    def __init__(self) -> None:
        super().__init__(page=100)

    async def populate(self) -> None:
        await self.put(CONFIGURATION, data={"mesh.yaml": OPEN})
        await self.put("/api/v1/namespaces/shop/serviceaccounts/web")
        await self.put("/api/v1/namespaces/shop/pods/web-1", spec={"serviceAccountName": "web", "nodeName": "node"})

    async def ask(self, name: str, conditions: Any = APPROVED, **changed: Any) -> None:
        await self.put(f"{PLACE}/{name}", spec=spec(**changed), status={"conditions": conditions})

    def status_of(self, name: str) -> Any:
        return self._objects[f"{PLACE}/{name}"]["status"]

    def failure(self, name: str) -> str:
        return next((each["reason"] for each in self.status_of(name)["conditions"] if each["type"] == "Failed"), "")

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        if "fieldSelector" in request.query and "spec.signerName" in request.query["fieldSelector"]:
            query = {key: value for key, value in request.query.items() if key != "fieldSelector"}
            request = request.clone(rel_url=request.rel_url.with_query(query))
        if not request.path.endswith("/status") or self.refusing is not None:
            return await super()._answer(request)
        path, answer = request.path.removesuffix("/status"), await request.json()
        known = self._objects.get(path)
        if known is None:
            return web.json_response(status(404, "NotFound"), status=404)
        if known["metadata"]["resourceVersion"] != answer["metadata"]["resourceVersion"]:
            return web.json_response(status(409, "Conflict"), status=409)
        self.answers += 1
        conditions = [*known["status"]["conditions"], *answer["status"].pop("conditions", [])]
        written = {**known["status"], **answer["status"], "conditions": conditions}
        stored = await self._write("MODIFIED", path, {**known, "status": written})
        if self.losing_answers:
            assert request.transport is not None
            request.transport.abort()
        return web.json_response(stored)


@dataclass
class Replica:
    material: LiveMaterial
    metrics: Metrics

    def count(self, outcome: str, reason: str) -> float:
        labels = {"outcome": outcome, "reason": reason}
        return self.metrics.registry.get_sample_value("proa_ca_signing_requests_total", labels) or 0.0


@asynccontextmanager
async def answering(client: Client) -> AsyncIterator[Replica]:
    """A replica that leads."""
    metrics, stopping = Metrics(), asyncio.Event()
    configuration, reports = LiveConfiguration(client, "proa", metrics.registry), Reports(client, system_clock)
    material = LiveMaterial(client, configuration, system_clock, metrics, reports, issuing(client, system_clock))
    counted = CsrMetrics(metrics.registry)
    door = signing_requests(Surroundings(client, material, configuration, system_clock, reports, counted))
    async with asyncio.TaskGroup() as group:
        for part in (configuration.service, material.service, reports.service, door.keep):
            group.create_task(part(stopping))
        try:
            yield Replica(material, metrics)
        finally:
            stopping.set()
