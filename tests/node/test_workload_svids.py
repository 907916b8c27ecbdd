"""A pod's SVID: what of the authority's answer is taken, when it is renewed, what is held while it cannot be."""

import asyncio
import resource
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import Any, cast

import grpc.aio
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import Certificate
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from ca.authority import CertificateAuthority, self_signed_authority
from ca.csr import stub_request
from ca.istio.messages import answered, asked, request, response
from ca.istio.verdict import Code
from ca.profile import WorkloadLeaf
from ca.randomness import new_key
from ca.trusted.messages import Trust
from kube.client import Client
from node.population import Population
from node.settings import WorkloadApi
from node.workload.attestation import HEADER, Workload, WorkloadRefused
from node.workload.door import WorkloadDoor
from node.workload.messages import FETCH_X509_SVID, SERVICE
from node.workload.metrics import Metrics
from node.workload.relay import AT_ONCE, FILES
from node.workload.roots import Roots
from node.workload.server import Api
from node.workload.svid import Svid, bundle, svid
from node.workload.svids import AGAIN, OF_A_POD, Svids
from node.workload.x509_profile import TRUST, X509Profile
from proa.errors import Invalid
from proa.identity import TrustDomain, WorkloadIdentity
from support.door import until
from support.workload_messages import crls_of

WEB = WorkloadIdentity(TrustDomain("cluster.local"), "shop", "web")
DB = replace(WEB, service_account="db")
POD = Workload("uid-of-web-1", WEB)
HOUR = timedelta(hours=1)


@dataclass
class Issuing:
    """The authority, and what the agent was answered by it. It may be away."""

    now: datetime = datetime(2026, 3, 1, 12, tzinfo=UTC)
    away: bool = False
    issued: list[Svid] = field(default_factory=list)
    told: Trust = field(default_factory=Trust)
    trusted: tuple[Certificate, ...] = ()
    """What the node knows; the authority's own unless something else is said."""

    def __post_init__(self) -> None:
        self.authority = self_signed_authority(WEB.trust_domain, lambda: self.now)

    async def svid(self, identity: WorkloadIdentity) -> Svid:
        await asyncio.sleep(0)
        if self.away:
            raise WorkloadRefused(Code.UNAVAILABLE, "AuthorityRefused", "away")
        key = new_key()
        self.issued.append(svid(texts(self.authority, key, identity), key, identity))
        return self.issued[-1]

    @property
    def roots(self) -> tuple[Certificate, ...]:
        return bundle(self.authority.trust_bundle.encode())

    async def trust(self) -> Trust:
        return self.told

    def svids(self) -> Svids:
        return Svids(self.svid, lambda: self.trusted or self.roots, lambda: self.now, Metrics(CollectorRegistry()))


def texts(
    authority: CertificateAuthority, key: ec.EllipticCurvePrivateKey, identity: WorkloadIdentity
) -> tuple[str, ...]:
    chain = authority.sign(stub_request(key), WorkloadLeaf(identity), HOUR)
    return answered(response(chain, authority.trust_bundle))


def test_the_agents_request_is_what_the_authority_reads() -> None:
    found = asked(request(b"a request", WEB.uri))
    assert (found.csr, found.impersonated, found.seconds, found.signer) == (b"a request", WEB.uri, 0, "")


def test_an_answer_of_another_key_or_name_never_reaches_a_pod() -> None:
    authority, key = Issuing().authority, new_key()
    found = svid(texts(authority, key, WEB), key, WEB)
    assert found.identity == WEB
    assert found.validity.lifetime == HOUR
    assert "key=" not in repr(found)
    for wrong in (new_key(), None):
        with pytest.raises(Invalid) as refused:
            svid(texts(authority, key, WEB if wrong else DB), wrong or key, WEB)
        assert refused.value.field == "answer"
    for answer in ((), ("",), ("x", "y"), texts(authority, key, WEB)[:1]):
        with pytest.raises(Invalid):
            svid(answer, key, WEB)


def test_roots_have_one_order() -> None:
    one, two = (Issuing().authority.trust_bundle for _ in range(2))
    assert bundle((one + two).encode()) == bundle((two + one).encode())
    with pytest.raises(Invalid):
        bundle(b"none")


async def test_it_is_kept_until_it_is_due_and_then_has_another_key() -> None:
    issuing = Issuing()
    svids = issuing.svids()
    first = await svids.of(POD)
    assert 0.45 <= (first.due - first.validity.not_before) / HOUR < 0.55
    issuing.now = first.due - timedelta(seconds=1)
    assert await svids.of(POD) is first
    issuing.now = first.due
    second = await svids.of(POD)
    assert second.key != first.key
    assert issuing.issued == [first, second]


async def test_who_ask_at_once_are_given_one() -> None:
    issuing = Issuing()
    svids = issuing.svids()
    found = await asyncio.gather(*(svids.of(POD) for _ in range(20)))
    assert found == issuing.issued * 20
    await svids.of(Workload("another", WEB))
    assert len(issuing.issued) == 2


async def test_what_cannot_be_renewed_is_held_to_its_end_and_no_longer() -> None:
    issuing = Issuing()
    svids = issuing.svids()
    first = await svids.of(POD)
    issuing.now, issuing.away = first.due, True
    assert await svids.of(POD) is first
    issuing.now = first.validity.not_after
    with pytest.raises(WorkloadRefused) as refused:
        await svids.of(POD)
    assert refused.value.status is Code.UNAVAILABLE


async def test_one_that_no_root_vouches_for_any_more_is_renewed_once_until_the_roots_are_others_again() -> None:
    issuing = Issuing()
    svids, former = issuing.svids(), issuing.roots
    first = await svids.of(POD)
    issuing.authority = self_signed_authority(WEB.trust_domain, lambda: issuing.now)
    issuing.trusted = former + issuing.roots
    assert await svids.of(POD) is first
    issuing.trusted, issuing.away = issuing.roots, True
    assert await svids.of(POD) is first
    assert svids.seconds(first) == AGAIN.total_seconds()
    issuing.away = False
    second = await svids.of(POD)
    assert second.ends_at(issuing.roots)
    assert svids.seconds(second) > AGAIN.total_seconds()
    # A node that the authority is ahead of does not ask it on and on.
    issuing.trusted = former
    third = await svids.of(POD)
    assert await svids.of(POD) is third
    assert issuing.issued == [first, second, third]


async def test_what_a_pod_had_is_forgotten_with_it() -> None:
    issuing = Issuing()
    svids = issuing.svids()
    first = await svids.of(POD)
    svids.keep(["others", POD.uid])
    assert await svids.of(POD) is first
    svids.keep(["others"])
    assert await svids.of(POD) is not first


async def test_a_pod_that_is_refused_and_asks_on_does_not_use_up_what_is_its_nodes() -> None:
    issuing = Issuing(away=True)
    svids = issuing.svids()
    reasons = list[str]()
    for _ in range(OF_A_POD.burst + 3):
        with pytest.raises(WorkloadRefused) as refused:
            await svids.of(POD)
        reasons.append(refused.value.reason)
    assert reasons == ["AuthorityRefused"] * OF_A_POD.burst + ["PodTooOften"] * 3
    with pytest.raises(WorkloadRefused, match="away"):
        await svids.of(Workload("another", WEB))


@pytest.fixture
async def calling(tmp_path: Path) -> AsyncIterator[tuple[Issuing, dict[str, Workload], Any]]:
    """The authority, who calls, and the method, by a server of its own. What is issued is always nearly due."""
    issuing, callers, roots = Issuing(), {"": POD}, Roots(tmp_path / "roots.pem")
    roots.certificates = issuing.roots

    def attested(_: str) -> Workload:
        if "" not in callers:
            raise WorkloadRefused(Code.PERMISSION_DENIED, "ProcessEnded", "gone")
        return callers[""]

    async def issued(identity: WorkloadIdentity) -> Svid:
        found = await issuing.svid(identity)
        issuing.now = found.due - timedelta(milliseconds=1)
        return found

    metrics = Metrics(CollectorRegistry())
    svids = Svids(issued, lambda: roots.certificates, lambda: issuing.now, metrics, timedelta(milliseconds=5))
    streams = {FETCH_X509_SVID: X509Profile(svids, roots, issuing.trust).svid}
    server = Api(attested, streams, {}, lambda: roots.changed, metrics).server(str(tmp_path / "server"))
    await server.start()
    async with grpc.aio.insecure_channel(f"unix:{tmp_path}/server") as channel:
        yield issuing, callers, channel.unary_stream(f"/{SERVICE}/{FETCH_X509_SVID}")
    await server.stop(None)


async def test_a_stream_tells_each_renewal_once_and_ends_when_the_caller_may_have_it_no_more(
    calling: tuple[Issuing, dict[str, Workload], Any],
) -> None:
    issuing, callers, method = calling
    stream = method(b"", metadata=[HEADER], timeout=20)
    message = await stream.read()
    assert issuing.issued[0].chain in message
    issuing.now = issuing.issued[0].due
    message = await stream.read()
    assert issuing.issued[1].chain in message
    assert issuing.issued[0].chain not in message
    callers.clear()
    with pytest.raises(grpc.aio.AioRpcError) as ended:
        await stream.read()
    assert ended.value.code() is grpc.StatusCode.PERMISSION_DENIED
    assert len(issuing.issued) == 2


async def test_crls_are_told_with_certificates_and_with_bundles(tmp_path: Path) -> None:
    issuing, roots = Issuing(told=Trust(crls=(b"one", b"two"))), Roots(tmp_path / "roots.pem")
    profile = X509Profile(issuing.svids(), roots, issuing.trust)
    for ask in (profile.svid, profile.bundle):
        with pytest.raises(WorkloadRefused, match="whom to trust"):
            await ask(POD)
    roots.certificates = issuing.roots
    (message, seconds), (bundles, again) = await profile.svid(POD), await profile.bundle(POD)
    assert crls_of(message, "X509SVIDResponse") == crls_of(bundles, "X509BundlesResponse") == [b"one", b"two"]
    assert seconds == again == TRUST.total_seconds()


async def test_a_fault_of_ours_is_not_the_callers_to_know(calling: tuple[Issuing, dict[str, Workload], Any]) -> None:
    _, callers, method = calling
    callers[""] = cast("Workload", "a fault")
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await method(b"", metadata=[HEADER], timeout=20).read()
    assert (failed.value.code(), failed.value.details()) == (grpc.StatusCode.INTERNAL, "internal")


async def test_what_a_stream_keeps_of_its_callers_headers_is_bounded(calling: tuple[Issuing, Any, Any]) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await calling[2](b"", metadata=[HEADER, ("x", "y" * 4096)], timeout=20).read()
    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


@pytest.mark.parametrize(("socket", "inner"), [("file/workload.sock", "inner"), ("workload.sock", "inner" * 20)])
async def test_an_api_that_cannot_open_says_so_and_leaves_the_agent_be(tmp_path: Path, socket: str, inner: str) -> None:
    (tmp_path / "file").touch()
    registry, stopping = CollectorRegistry(), asyncio.Event()
    with capture_logs() as logs:
        task = asyncio.create_task(door(tmp_path / socket, tmp_path / inner, registry).service(stopping))
        await until(lambda: logs or task.done())
        assert not task.done()
        stopping.set()
        await task
    assert [each["log_level"] for each in logs if each["event"] == "the Workload API is closed"] == ["error"]
    assert registry.get_sample_value("proa_node_workload_open") == 0


def door(socket: Path, inner: Path, registry: CollectorRegistry) -> WorkloadDoor:
    nothing = PurePosixPath("/none")
    told = WorkloadApi(PurePosixPath(socket), "127.0.0.1:1", nothing, nothing, WEB.trust_domain)
    # Nobody has told it of any pod.
    population = Population(cast("Client", None), "node-1")
    return WorkloadDoor(told, inner, population, Metrics(registry), lambda: datetime.now(UTC))


async def test_connections_of_pods_leave_the_agent_as_many_files_as_it_had(tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, before[1]))
    registry, stopping = CollectorRegistry(), asyncio.Event()
    task = asyncio.create_task(door(tmp_path / "workload.sock", tmp_path / "inner", registry).service(stopping))
    try:
        await until(lambda: registry.get_sample_value("proa_node_workload_open"))
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] >= 1024 + FILES * AT_ONCE
    finally:
        stopping.set()
        await task
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
