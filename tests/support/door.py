"""A replica of the authority, as far as its door goes, and an API server that lets each request be answered once."""

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ca.answering import Answering
from ca.csr import Proof, stub_request
from ca.door import Door
from ca.metrics import Metrics
from ca.reports import Reports
from ca.storage import LiveMaterial
from kube.client import Client
from kube.configuration import LiveConfiguration
from proa.clock import system_clock
from support.api_server import ASKED_FOR, ApiServer, is_of_another_version, status
from support.ceremonies import issuing

REQUESTS = "/apis/certificates.k8s.io/v1/namespaces/shop/podcertificaterequests"
SECONDS = 45.0


def proof(key: Any, pod_uid: str) -> Proof:
    """As kubelets older than 1.36 make it (Kubernetes 1.35, pod certificate manager)."""
    spki = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if isinstance(key, rsa.RSAPrivateKey):
        # Go's nil options: the salt is as long as the key lets it be.
        padding = PSS(MGF1(SHA256()), PSS.MAX_LENGTH)
        return Proof(spki, key.sign(pod_uid.encode(), padding, SHA256()))
    return Proof(spki, key.sign(pod_uid.encode(), ec.ECDSA(SHA256())))


class Requests(ApiServer):
    """Lets a request be answered once, as the real one does, and selects by signer."""

    hidden: Mapping[str, str] = {}
    """Of a request's spec, what only v1beta1 shows."""
    losing_answers = False
    """Whether it takes the answer to a request and hangs up before it says so."""

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        if request.get(ASKED_FOR) == "v1beta1" and (known := self._objects.get(request.path)) and "spec" in known:
            return web.json_response({**known, "spec": {**known["spec"], **self.hidden}})
        if request.query.get("fieldSelector", "").startswith("spec.signerName="):
            serving = "serving" in request.query["fieldSelector"]
            # There are no requests for servers here: their watch sees an empty kind.
            place = request.path.replace("podcertificaterequests", "none" if serving else "podcertificaterequests")
            query = {key: value for key, value in request.query.items() if key != "fieldSelector"}
            request = request.clone(rel_url=request.rel_url.with_path(place).with_query(query))
        if not request.path.endswith("/status") or self.refusing is not None:
            return await super()._answer(request)
        path = request.path.removesuffix("/status")
        known = self._objects.get(path)
        if known is None:
            return web.json_response(status(404, "NotFound"), status=404)
        if known.get("status"):
            return web.json_response(status(422, "Invalid", "status is immutable"), status=422)
        answer = await request.json()
        if is_of_another_version(answer, request):
            return web.json_response(status(400, "BadRequest"), status=400)
        if self.losing_answers:
            assert request.transport is not None
            request.transport.abort()
        return web.json_response(await self._write("MODIFIED", path, {**known, "status": answer["status"]}))

    def stored_secrets(self) -> list[str]:
        """Every value of every Secret, as it is sent."""
        found = (each for path, each in self._objects.items() if "/secrets/" in path)
        return [value for each in found for value in each["data"].values()]

    def answer_to(self, name: str) -> Any:
        return self._objects[f"{REQUESTS}/{name}"].get("status")


async def asked(server: Requests, name: str, csr: bytes | None = None, **shown: Proof | None) -> None:
    """A pod and its request; empty where its kubelet is an old one. *shown* is what v1beta1 shows of the `older`
    members, None as null."""
    sent = stub_request(ec.generate_private_key(ec.SECP256R1())) if csr is None else csr
    pod = await server.put(
        f"/api/v1/namespaces/shop/pods/{name}", spec={"serviceAccountName": "web", "nodeName": "node"}
    )
    spec = {
        "signerName": "proa.dev/workload",
        "podName": name,
        "podUID": pod["metadata"]["uid"],
        "serviceAccountName": "web",
        "serviceAccountUID": "uid-of-web",
        "nodeName": "node",
        "nodeUID": "uid-of-node",
        "maxExpirationSeconds": 86400,
        # The API server shows null where there is none.
        "stubPKCS10Request": b64encode(sent).decode() if sent else None,
    }
    for older in shown.values():
        spec["pkixPublicKey"] = b64encode(older.key).decode() if older else None
        spec["proofOfPossession"] = b64encode(older.signature).decode() if older else None
    await server.put(f"{REQUESTS}/{name}", spec=spec)


class Replica:
    """What a process is made of, as far as the door goes."""

    def __init__(self, client: Client, patience: float) -> None:
        self.metrics, self.reports = Metrics(), Reports(client, system_clock)
        self.configuration = LiveConfiguration(client, "proa", self.metrics.registry)
        means = issuing(client, system_clock)
        self.material = LiveMaterial(client, self.configuration, system_clock, self.metrics, self.reports, means)
        answering = Answering(client, self.material, self.configuration, system_clock, self.metrics)
        self.door = Door(client, answering, self.metrics, patience)
        self.material.subscribe(self.door.hasten)

    def count(self, outcome: str, reason: str) -> float:
        labels = {"signer": "proa.dev/workload", "outcome": outcome, "reason": reason}
        return self.metrics.registry.get_sample_value("proa_ca_requests_total", labels) or 0.0


@asynccontextmanager
async def running(client: Client, patience: float = 0.0) -> AsyncIterator[Replica]:
    replica, stopping = Replica(client, patience), asyncio.Event()
    parts = (replica.configuration.service, replica.material.service, replica.door.service, replica.reports.service)
    async with asyncio.TaskGroup() as group:
        for part in parts:
            group.create_task(part(stopping))
        try:
            yield replica
        finally:
            stopping.set()


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(SECONDS):
        while not condition():  # noqa: ASYNC110 - it asks what others did
            await asyncio.sleep(0.02)
