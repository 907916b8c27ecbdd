"""Istio's side of its protocol: a client that protoc generated, pods' tokens, and an API server that reviews them."""

import asyncio
import json
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import grpc.aio
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509 import (
    CertificateSigningRequestBuilder,
    Name,
    NameAttribute,
    SubjectAlternativeName,
    UniformResourceIdentifier,
    load_pem_x509_certificates,
)
from cryptography.x509.oid import NameOID

from ca.custody import Keeper, nobody
from ca.istio.door import Addresses, IstioDoor
from ca.istio.metrics import Metrics as IstioMetrics
from ca.istio.quota import Rates
from ca.jwt.keeping import jwt_keys
from ca.metrics import Metrics
from ca.reports import Reports
from ca.storage import LiveMaterial
from ca.surroundings import Surroundings
from kube.client import Client
from kube.configuration import LiveConfiguration
from proa.clock import Clock, system_clock
from support.ceremonies import issuing
from support.door import SECONDS, Requests, until
from support.protocol import generated

NAME = "proa-ca.proa-system.svc"
LOCAL = Addresses("127.0.0.1:0", "127.0.0.1:0", 0)
OPEN = json.dumps({"authority": {"istio": {"kind": "grpc", "trustedNodeAccounts": ["mesh/ztunnel"]}}})
CONFIGURATION = "/api/v1/namespaces/proa-system/configmaps/proa"
REVIEWS = "/apis/authentication.k8s.io/v1/tokenreviews"


class Cluster(Requests):
    """*reviewed* are the tokens that came for review. Tokens it did not make are refused, as are those of pods that
    are gone."""

    def __init__(self) -> None:
        super().__init__(page=100)
        self.reviewed: list[str] = []
        self.reviewing = asyncio.Event()
        """Reviews wait while it is not set."""
        self.reviewing.set()
        self.failing: int | None = None
        """Status of the answer to reviews."""
        self.forbidden = ""
        """A path that nobody may read."""
        self._made: dict[str, dict[str, Any]] = {}

    async def pod(self, name: str, account: str = "web", node: str = "node-1", **more: str) -> None:
        namespace, address = more.get("namespace", "shop"), more.get("address", "127.0.0.1")
        await self.put(f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}")
        spec, status = {"serviceAccountName": account, "nodeName": node}, {"podIPs": [{"ip": address}]}
        await self.put(f"/api/v1/namespaces/{namespace}/pods/{name}", spec=spec, status=status)

    def token(self, name: str, account: str = "web", namespace: str = "shop", **more: Any) -> str:
        """Of a pod, as the API server would make it. *more* is what a wrong one has: audience, unbound, node, hours."""
        audience, life = more.get("audience", "istio-ca"), timedelta(hours=more.get("hours", 1))
        bound = {} if more.get("unbound") else {"pod": {"name": name, "uid": f"uid-of-{name}"}}
        claims = {
            "aud": [audience],
            "exp": int((datetime.now(UTC) + life).timestamp()),
            "jti": f"id-{len(self._made)}",
            "kubernetes.io": {"namespace": namespace, "serviceaccount": {"name": account}, **bound},
        }
        token = ".".join(
            urlsafe_b64encode(part).decode().rstrip("=") for part in (b"{}", json.dumps(claims).encode(), b"s")
        )
        extra = {"pod-name": name, "pod-uid": f"uid-of-{name}", "node-name": more.get("node", "node-1")}
        extra |= {"credential-id": f"JTI={claims['jti']}"}
        user = {
            "username": f"system:serviceaccount:{namespace}:{account}",
            "uid": f"uid-of-{account}",
            "groups": ["system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated"],
            "extra": {}
            if more.get("silent")
            else {f"authentication.kubernetes.io/{key}": [value] for key, value in extra.items()},
        }
        self._made[token] = {"user": user, "audience": audience, "pod": f"/api/v1/namespaces/{namespace}/pods/{name}"}
        return token

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        if request.path == self.forbidden:
            return web.json_response({"kind": "Status", "code": 403, "reason": "Forbidden"}, status=403)
        if request.path == REVIEWS:
            return await self._review((await request.json())["spec"])
        if request.query.get("fieldSelector", "").startswith("status.phase"):
            query = {key: value for key, value in request.query.items() if key != "fieldSelector"}
            request = request.clone(rel_url=request.rel_url.with_query(query))
        return await super()._answer(request)

    async def _review(self, spec: dict[str, Any]) -> web.Response:
        self.reviewed.append(spec["token"])
        await self.reviewing.wait()
        if self.failing is not None:
            return web.json_response({"kind": "Status", "code": self.failing, "reason": "X"}, status=self.failing)
        made = self._made.get(spec["token"])
        known = made is not None and made["pod"] in self._objects and made["audience"] in spec["audiences"]
        answer = (
            {"authenticated": True, "user": made["user"], "audiences": [made["audience"]]} if made and known else {}
        )
        return web.json_response({"kind": "TokenReview", "status": answer}, status=201)


@dataclass
class Running:
    door: IstioDoor
    material: LiveMaterial
    metrics: Metrics
    stopping: asyncio.Event

    def count(self, code: str, reason: str) -> float:
        labels = {"code": code, "reason": reason}
        return self.metrics.registry.get_sample_value("proa_ca_istio_requests_total", labels) or 0.0

    @property
    def roots(self) -> bytes:
        assert self.material.authority is not None
        return self.material.authority.trust_bundle.encode()

    @asynccontextmanager
    async def agent(self, holding: "Credential | None" = None) -> AsyncIterator["Agent"]:
        """A client of the port for tokens, or of the port for those who hold a certificate."""
        pair = (holding.key, holding.chain) if holding else (None, None)
        credentials = grpc.ssl_channel_credentials(self.roots, *pair)
        options = (("grpc.ssl_target_name_override", NAME), ("grpc.enable_retries", 0))
        address = f"127.0.0.1:{self.door.bound[1 if holding else 0]}"
        async with grpc.aio.secure_channel(address, credentials, options) as channel:
            yield Agent(channel)


@dataclass(frozen=True)
class Credential:
    key: bytes
    chain: bytes


class Agent:
    def __init__(self, channel: Any) -> None:
        messages, stubs = generated()
        self._messages, self.stub = messages, stubs.IstioCertificateServiceStub(channel)

    async def asked(self, csr: bytes, token: str | None = None, seconds: int = 0, **metadata: str) -> list[str]:
        """The answer's certificates. Raises grpc.aio.AioRpcError."""
        request = self._messages.IstioCertificateRequest(csr=csr.decode("latin-1"), validity_duration=seconds)
        request.metadata.update(metadata)
        headers = (("clusterid", "Kubernetes"), *((("authorization", f"Bearer {token}"),) if token else ()))
        return list((await self.stub.CreateCertificate(request, metadata=headers, timeout=20)).cert_chain)

    async def refused(self, csr: bytes, token: str | None = None, seconds: int = 0, **metadata: str) -> Any:
        """The error that there must be."""
        try:
            await self.asked(csr, token, seconds, **metadata)
        except grpc.aio.AioRpcError as error:
            return error
        raise AssertionError("a certificate was issued")

    async def code(self, token: str | None = None) -> Any:
        try:
            await self.asked(pem_request(), token)
        except grpc.aio.AioRpcError as error:
            return error.code()
        return grpc.StatusCode.OK

    async def until(self, code: Any, token: str | None = None) -> None:
        """Ask until the answer is *code*: what the cluster has told us is known by then."""
        async with asyncio.timeout(SECONDS):
            while await self.code(token) is not code:  # noqa: ASYNC110 - it asks what others did
                await asyncio.sleep(0.02)


def pem_request(key: Any = None, uri: str = "spiffe://cluster.local/ns/shop/sa/web") -> bytes:
    """As istio-agent makes it: an empty organisation and its own identity."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    name = Name([NameAttribute(NameOID.ORGANIZATION_NAME, "")] if uri == "" else [])
    builder = CertificateSigningRequestBuilder().subject_name(name)
    if uri:
        builder = builder.add_extension(SubjectAlternativeName([UniformResourceIdentifier(uri)]), critical=False)
    return builder.sign(key, SHA256()).public_bytes(Encoding.PEM)


def private(key: Any) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def leaf_of(chain: list[str]) -> Any:
    (leaf,) = load_pem_x509_certificates(chain[0].encode())
    return leaf


@asynccontextmanager
async def open_door(
    client: Client,
    rates: Rates | None = None,
    clock: Clock = system_clock,
    addresses: Addresses = LOCAL,
    keeper: Keeper = nobody,
    lag: float = 0.0,
) -> AsyncIterator[Running]:
    metrics, stopping = Metrics(), asyncio.Event()
    configuration, reports = LiveConfiguration(client, "proa", metrics.registry), Reports(client, clock)
    material = LiveMaterial(client, configuration, clock, metrics, reports, issuing(client, clock, keeper))
    around = Surroundings(client, material, configuration, clock, reports, IstioMetrics(metrics.registry))
    door = IstioDoor(around, addresses, rates, lag)
    async with asyncio.TaskGroup() as group:
        tokens = jwt_keys(Surroundings(client, material, configuration, clock, reports, None))
        for part in (configuration.service, material.service, door.service, tokens.keep, reports.service):
            group.create_task(part(stopping))
        try:
            yield Running(door, material, metrics, stopping)
        finally:
            stopping.set()


async def opened(running: Running) -> None:
    await until(lambda: running.door.bound and not running.door.unready)


def uris(leaf: Any) -> list[str]:
    names = leaf.extensions.get_extension_for_class(SubjectAlternativeName).value
    assert len(list(names)) == 1
    return list(names.get_values_for_type(UniformResourceIdentifier))


async def until_known(running: Running, cluster: Cluster, account: str) -> None:
    """A pod of *account* is served, so everything that was written before it is known."""
    async with running.agent() as agent:
        await agent.until(grpc.StatusCode.OK, cluster.token(f"{account}-1", account, node="node-2"))
