"""A clock that stands still until told, an authority under it, what a workload brings along, and an API server."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from ca.authority import CertificateAuthority, self_signed_authority
from ca.csr import stub_request
from kube.client import Client, connected
from proa.identity import TrustDomain, WorkloadIdentity
from support.door import Requests, until
from support.istio import CONFIGURATION, OPEN, Cluster, Running, open_door, opened


@dataclass
class ManualClock:
    now: datetime

    def __call__(self) -> datetime:
        return self.now

    def advance(self, by: timedelta) -> None:
        self.now += by


@pytest.fixture
def clock() -> ManualClock:
    """Not on a whole second: certificates know no fractions, and nothing may be off by one for it."""
    return ManualClock(datetime(2026, 3, 1, 12, 0, 0, 700_000, tzinfo=UTC))


@pytest.fixture(scope="session")
def trust_domain() -> TrustDomain:
    return TrustDomain("cluster.local")


@pytest.fixture(scope="session")
def identity(trust_domain: TrustDomain) -> WorkloadIdentity:
    return WorkloadIdentity(trust_domain, "shop", "web")


@pytest.fixture
def authority(trust_domain: TrustDomain, clock: ManualClock) -> CertificateAuthority:
    return self_signed_authority(trust_domain, clock)


@pytest.fixture(scope="session")
def key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@pytest.fixture(scope="session")
def csr(key: ec.EllipticCurvePrivateKey) -> bytes:
    return stub_request(key)


@pytest.fixture
async def api_server() -> AsyncIterator[Requests]:
    server = Requests(page=100)
    await server.start()
    await server.put("/api/v1/namespaces/proa-system/configmaps/proa", data={"mesh.yaml": "{}"})
    await server.put("/api/v1/namespaces/shop/serviceaccounts/web")
    yield server
    await server.stop()


@pytest.fixture
async def client(api_server: Requests, tmp_path: Path) -> AsyncIterator[Client]:
    async with connected(api_server.kubeconfig(tmp_path)) as client:
        yield client


@pytest.fixture
def all_answered(api_server: Requests) -> Callable[..., Awaitable[None]]:
    async def wait(*names: str) -> None:
        await until(lambda: all(api_server.answer_to(name) for name in names))

    return wait


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    """An API server that reviews tokens, and knows a pod."""
    server = Cluster()
    await server.start()
    await server.put(CONFIGURATION, data={"mesh.yaml": OPEN})
    await server.pod("web-1")
    yield server
    await server.stop()


@pytest.fixture
async def cluster_client(cluster: Cluster, tmp_path: Path) -> AsyncIterator[Client]:
    async with connected(cluster.kubeconfig(tmp_path)) as client:
        yield client


@pytest.fixture
async def running(cluster_client: Client) -> AsyncIterator[Running]:
    """The door for Istio's clients, open."""
    async with open_door(cluster_client) as running:
        await opened(running)
        yield running
