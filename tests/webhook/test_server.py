import asyncio
import datetime
import gzip
import io
import ipaddress
import itertools
import json
import socket
import ssl
from base64 import b64decode
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import jsonpatch
import pytest
from aiohttp.test_utils import TestClient, TestServer
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from prometheus_client import generate_latest
from structlog.testing import capture_logs

from proa import names
from proa.containers import Proxy
from proa.mesh import MeshConfiguration
from webhook.metrics import Metrics
from webhook.server import LARGEST_BODY, Injector, Template, application, https_service, routes, template

JSON = {"Content-Type": "application/json"}
ReviewOf = Callable[..., bytes]


def labels(namespace: str) -> dict[str, str] | None:
    return {"demo": {names.INJECT: "enabled"}, "misspelt": {names.INJECT: "yes"}, "plain": {}}.get(namespace)


@pytest.fixture
def injector(configuration: MeshConfiguration) -> Injector:
    fixed = template(configuration)

    async def arrival(_: str, _seconds: float) -> None:
        return None

    return Injector(lambda: fixed, labels, arrival, Metrics(), lambda: False)


@pytest.fixture
async def client(configuration: MeshConfiguration) -> AsyncIterator[Any]:
    async with TestClient(TestServer(application(configuration, labels))) as connected:
        yield connected


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 that is its own root, and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "webhook")])
    now = datetime.datetime.now(datetime.UTC)
    built = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + built.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture
def server_tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    return context


@pytest.fixture
def client_tls(certificate: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(certificate))


async def answer_to(client: Any, body: bytes, headers: dict[str, str] = JSON) -> tuple[int, Any]:
    async with client.post("/inject", data=io.BytesIO(body), headers=headers) as answer:
        assert answer.content_type == "application/json"
        return answer.status, await answer.json()


async def test_a_review_is_answered_with_a_review(
    client: Any, review_of: ReviewOf, ordinary_pod: dict[str, Any]
) -> None:
    status, sent = await answer_to(client, review_of(ordinary_pod))
    assert (status, sent["kind"]) == (200, "AdmissionReview")
    assert sent["response"]["allowed"] is True
    assert sent["response"]["patchType"] == "JSONPatch"
    assert sent["response"]["auditAnnotations"] == {"decision": "injected", "reason": "namespace_enabled"}


async def test_the_namespaces_labels_come_from_the_caller(
    client: Any, review_of: ReviewOf, ordinary_pod: dict[str, Any]
) -> None:
    _, left = await answer_to(client, review_of(ordinary_pod, namespace="plain"))
    assert left["response"]["auditAnnotations"]["reason"] == "not_asked_for"


async def test_a_pod_of_an_unknown_namespace_is_nobodys_to_refuse(
    client: Any, review_of: ReviewOf, ordinary_pod: dict[str, Any]
) -> None:
    async with client.post("/inject", data=review_of(ordinary_pod, namespace="new"), headers=JSON) as answer:
        assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
        sent = await answer.json()
    assert (sent["kind"], sent["reason"], sent["details"]) == ("Status", "ServiceUnavailable", {"retryAfterSeconds": 1})
    assert "'new'" in sent["message"]


async def test_a_namespace_that_arrives_in_time_decides(
    injector: Injector, review_of: ReviewOf, ordinary_pod: dict[str, Any]
) -> None:
    async def arrival(_: str, _seconds: float) -> dict[str, str]:
        return {names.INJECT: "enabled"}

    async with TestClient(TestServer(routes(replace(injector, arrival=arrival)))) as client:
        _, sent = await answer_to(client, review_of(ordinary_pod, namespace="new"))
    assert sent["response"]["auditAnnotations"] == {"decision": "injected", "reason": "namespace_enabled"}


async def test_a_pod_that_decides_for_itself_waits_for_no_namespace(
    injector: Injector, review_of: ReviewOf, ordinary_pod: dict[str, Any]
) -> None:
    async def arrival(namespace: str, _seconds: float) -> dict[str, str]:
        raise AssertionError(namespace)

    pod = {**ordinary_pod, "metadata": {"labels": {names.INJECT: "true"}}}
    async with TestClient(TestServer(routes(replace(injector, arrival=arrival)))) as client:
        _, sent = await answer_to(client, review_of(pod, namespace="new"))
    assert sent["response"]["auditAnnotations"]["reason"] == "pod_label_enabled"


@pytest.mark.parametrize("namespace", ["plain", "new"])
async def test_what_the_api_server_sends_for_its_namespace_is_injected_although_the_label_is_not_seen_yet(
    client: Any, review_of: ReviewOf, ordinary_pod: dict[str, Any], namespace: str
) -> None:
    body = review_of(ordinary_pod, namespace=namespace)
    async with client.post("/inject/namespace", data=body, headers=JSON) as answer:
        sent = await answer.json()
    assert sent["response"]["auditAnnotations"] == {"decision": "injected", "reason": "namespace_enabled"}


async def test_a_misspelt_namespace_label_is_refused_wherever_its_pod_is_sent(
    client: Any, review_of: ReviewOf, ordinary_pod: dict[str, Any]
) -> None:
    for path in ("/inject", "/inject/namespace"):
        async with client.post(path, data=review_of(ordinary_pod, namespace="misspelt"), headers=JSON) as answer:
            assert (await answer.json())["response"]["allowed"] is False


async def test_nothing_is_answered_before_a_configuration_is_loaded(
    injector: Injector, review_of: ReviewOf, ordinary_pod: dict[str, Any]
) -> None:
    async with TestClient(TestServer(routes(replace(injector, current=lambda: None)))) as client:
        status, sent = await answer_to(client, review_of(ordinary_pod))
    assert (status, sent["message"]) == (503, "this webhook has not loaded the mesh configuration yet: try again")


async def test_a_new_configuration_is_taken_by_the_next_pod(
    injector: Injector, review_of: ReviewOf, ordinary_pod: dict[str, Any]
) -> None:
    images = iter(("envoy:1", "envoy:2"))

    def current() -> Template:
        return template(MeshConfiguration(proxy=Proxy(image=next(images))))

    async with TestClient(TestServer(routes(replace(injector, current=current)))) as client:
        patches = [(await answer_to(client, review_of(ordinary_pod)))[1]["response"]["patch"] for _ in range(2)]
    assert [b64decode(patch).count(image) for patch, image in zip(patches, (b"envoy:1", b"envoy:2"), strict=True)] == [
        1,
        1,
    ]


async def test_who_is_stopping_lets_its_clients_go(
    injector: Injector, review_of: ReviewOf, ordinary_pod: dict[str, Any]
) -> None:
    stopping = False
    async with TestClient(TestServer(routes(replace(injector, stopping=lambda: stopping)))) as client:
        async with client.post("/inject", data=review_of(ordinary_pod), headers=JSON) as answer:
            assert "Connection" not in answer.headers
        stopping = True
        async with client.post("/inject", data=review_of(ordinary_pod), headers=JSON) as answer:
            assert (answer.status, answer.headers["Connection"]) == (200, "close")


@pytest.mark.parametrize(
    ("body", "headers", "status", "named"),
    [
        (b"{}", {"Content-Type": "text/plain"}, 415, "Content-Type: found 'text/plain', allowed: application/json"),
        (b"{}", {}, 415, "Content-Type: found 'application/octet-stream'"),
        (gzip.compress(b"{}", mtime=0), JSON | {"Content-Encoding": "gzip"}, 415, "Content-Encoding: found 'gzip'"),
        (b"", JSON, 400, "body: found nothing"),
        (b"hello", JSON, 400, "body: found what is not JSON"),
        (b"{}", JSON, 400, "apiVersion: found nothing"),
        (b'{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview"}', JSON, 400, "request: found nothing"),
        (b" " * (LARGEST_BODY + 1), JSON, 413, "body: found more than 6291456 bytes"),
    ],
)
async def test_what_is_no_review_gets_its_http_status_and_the_field(
    client: Any, body: bytes, headers: dict[str, str], status: int, named: str
) -> None:
    found, sent = await answer_to(client, body, headers)
    assert (found, sent["kind"], sent["code"]) == (status, "Status", status)
    assert sent["message"].startswith(named)


async def test_a_content_type_may_name_its_charset(
    client: Any, review_of: ReviewOf, ordinary_pod: dict[str, Any]
) -> None:
    headers = {"Content-Type": "application/json; charset=utf-8"}
    assert (await answer_to(client, review_of(ordinary_pod), headers))[0] == 200


async def test_a_body_of_exactly_the_limit_is_read(
    client: Any, review_of: ReviewOf, ordinary_pod: dict[str, Any]
) -> None:
    assert (await answer_to(client, review_of(ordinary_pod).ljust(LARGEST_BODY)))[0] == 200


async def test_a_body_without_a_length_is_bounded_too(client: Any) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(7):
            yield b" " * 1024 * 1024

    async with client.post("/inject", data=endless(), headers=JSON) as answer:
        assert answer.status == 413


async def test_a_body_that_does_not_come_is_not_waited_for(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("webhook.bodies.READ_SECONDS", 0.05)

    async def dripping() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    async with client.post("/inject", data=dripping(), headers=JSON) as answer:
        assert answer.status == 408
        assert "body" in (await answer.json())["message"]


async def test_the_server_goes_on_after_anything(
    client: Any, review_of: ReviewOf, ordinary_pod: dict[str, Any]
) -> None:
    for body in (b"", b"\xff\x00", b"[" * 200_000, b" " * (LARGEST_BODY + 1), review_of({}), review_of(None)):
        await answer_to(client, body)
    status, sent = await answer_to(client, review_of(ordinary_pod))
    assert (status, sent["response"]["allowed"]) == (200, True)


async def test_decisions_are_counted_by_rule_and_timed(
    injector: Injector, review_of: ReviewOf, ordinary_pod: dict[str, Any]
) -> None:
    async with TestClient(TestServer(routes(injector))) as client:
        for body in (review_of(ordinary_pod), review_of(ordinary_pod), review_of(ordinary_pod, namespace="x"), b"no"):
            await answer_to(client, body)
    lines = generate_latest(injector.metrics.registry).decode().splitlines()
    assert 'proa_injection_total{decision="injected",reason="namespace_enabled"} 2.0' in lines
    assert 'proa_injection_total{decision="unavailable",reason="namespace_unknown"} 1.0' in lines
    assert 'proa_injection_total{decision="unreadable",reason="400"} 1.0' in lines
    assert "proa_injection_duration_seconds_count 2.0" in lines
    assert any(line.startswith('proa_injection_duration_seconds_bucket{le="0.0001"}') for line in lines)


async def test_a_pod_that_comes_again_is_answered_without_a_patch(
    injector: Injector, review_of: ReviewOf, ordinary_pod: dict[str, Any]
) -> None:
    async with TestClient(TestServer(routes(injector))) as client:
        _, first = await answer_to(client, review_of(ordinary_pod))
        patch = json.loads(b64decode(first["response"]["patch"]))
        status, again = await answer_to(client, review_of(jsonpatch.apply_patch(ordinary_pod, patch)))
    assert (status, again["response"]["allowed"], again["response"].get("patch")) == (200, True, None)
    lines = generate_latest(injector.metrics.registry).decode().splitlines()
    assert 'proa_injection_total{decision="left",reason="already_injected"} 1.0' in lines


async def test_a_review_of_the_older_version_is_answered_in_it(
    client: Any, review_of: ReviewOf, ordinary_pod: dict[str, Any]
) -> None:
    body = json.loads(review_of(ordinary_pod)) | {"apiVersion": "admission.k8s.io/v1beta1"}
    _, sent = await answer_to(client, json.dumps(body).encode())
    assert sent["apiVersion"] == "admission.k8s.io/v1beta1"
    assert sent["response"]["uid"] == body["request"]["uid"]
    assert sent["response"]["patchType"] == "JSONPatch"


async def test_a_namespace_is_waited_for_within_half_of_the_callers_patience(
    injector: Injector, review_of: ReviewOf, ordinary_pod: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    times, waited = itertools.count(100.0, 0.05), list[float]()
    monkeypatch.setattr("webhook.server.monotonic", lambda: next(times))

    async def arrival(_: str, seconds: float) -> None:
        waited.append(seconds)

    body = review_of(ordinary_pod, namespace="new")
    async with TestClient(TestServer(routes(replace(injector, arrival=arrival)))) as client:
        for query in ("?timeout=1s", "?timeout=20s"):
            async with client.post(f"/inject{query}", data=body, headers=JSON) as answer:
                assert answer.status == 503
    assert 0.3 < waited[0] < 0.5
    assert 9 < waited[1] < 10


async def test_a_timeout_that_is_no_duration_is_named(
    client: Any, review_of: ReviewOf, ordinary_pod: dict[str, Any]
) -> None:
    async with client.post("/inject?timeout=soon", data=review_of(ordinary_pod), headers=JSON) as answer:
        assert (answer.status, (await answer.json())["message"][:22]) == (400, "timeout: found 'soon',")


async def test_a_review_that_comes_whole_after_its_callers_patience_is_not_begun(
    injector: Injector, review_of: ReviewOf, ordinary_pod: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def current() -> Template:
        raise AssertionError("begun")

    times = iter((100.0, 100.0, 105.0))
    monkeypatch.setattr("webhook.server.monotonic", lambda: next(times))
    async with (
        TestClient(TestServer(routes(replace(injector, current=current)))) as client,
        client.post("/inject?timeout=5s", data=review_of(ordinary_pod), headers=JSON) as answer,
    ):
        assert (answer.status, (await answer.json())["reason"]) == (504, "Timeout")
        assert "Retry-After" not in answer.headers


async def test_a_body_is_not_waited_for_beyond_its_callers_patience(client: Any) -> None:
    async def dripping() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    async with client.post("/inject?timeout=50ms", data=dripping(), headers=JSON) as answer:
        assert answer.status == 408


async def test_no_more_reviews_wait_for_their_namespace_than_there_is_room_for(
    injector: Injector, review_of: ReviewOf, ordinary_pod: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webhook.server.WAITING", 2)
    waiting, arrived = asyncio.Semaphore(0), asyncio.Event()

    async def arrival(_: str, _seconds: float) -> dict[str, str]:
        waiting.release()
        await arrived.wait()
        return {names.INJECT: "enabled"}

    unknown = review_of(ordinary_pod, namespace="new")
    async with TestClient(TestServer(routes(replace(injector, arrival=arrival)))) as client:
        first = [asyncio.create_task(answer_to(client, unknown)) for _ in range(2)]
        await waiting.acquire()
        await waiting.acquire()
        async with client.post("/inject", data=unknown, headers=JSON) as answer:
            assert (answer.status, answer.headers["Retry-After"]) == (429, "1")
            assert (await answer.json())["reason"] == "TooManyRequests"
        assert (await answer_to(client, review_of(ordinary_pod)))[0] == 200, "who waits for nothing is answered"
        arrived.set()
        assert [status for status, _ in await asyncio.gather(*first)] == [200, 200]
        assert (await answer_to(client, unknown))[0] == 200, "the places were given back"


async def test_large_bodies_share_a_room_and_small_ones_need_none(
    client: Any, review_of: ReviewOf, ordinary_pod: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webhook.bodies.LARGE_BODIES", 1024 * 1024)
    whole, sent = asyncio.Event(), asyncio.Event()
    small = review_of(ordinary_pod)

    async def held() -> AsyncIterator[bytes]:
        yield small
        for _ in range(9):
            yield b" " * 100_000
        sent.set()
        await whole.wait()

    first = asyncio.create_task(client.post("/inject", data=held(), headers=JSON))
    await sent.wait()
    large = small.ljust(300_000)
    async with asyncio.timeout(5):
        while (await answer_to(client, large))[0] != 429:  # noqa: ASYNC110 - the server tells nobody what it holds
            await asyncio.sleep(0)
    assert (await answer_to(client, small))[0] == 200
    whole.set()
    assert (await first).status == 200
    assert (await answer_to(client, large))[0] == 200


async def test_a_body_whose_framing_is_broken_is_refused(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("webhook.bodies.READ_SECONDS", 0.2)
    reader, writer = await asyncio.open_connection(client.host, client.port)
    head = b"POST /inject HTTP/1.1\r\nHost: w\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    writer.write(head + b"5\r\nhello\r\n")
    await writer.drain()
    await asyncio.sleep(0.01)
    writer.write(b"zz\r\n")
    assert (await asyncio.wait_for(reader.readline(), 5)).startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 408 "))
    writer.close()


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/inject", 405), ("POST", "/other", 404)])
async def test_other_routes_do_not_exist(client: Any, method: str, path: str, status: int) -> None:
    async with client.request(method, path) as answer:
        assert answer.status == status


async def test_a_decision_is_logged_without_the_pods_contents(client: Any, review_of: ReviewOf) -> None:
    secret = {"name": "app", "env": [{"name": "PASSWORD", "value": "hunter2"}]}
    with capture_logs() as lines:
        await answer_to(client, review_of({"metadata": {"name": "web"}, "spec": {"containers": [secret]}}))
    (line,) = lines
    assert (line["log_level"], line["decision"], line["reason"]) == ("info", "injected", "namespace_enabled")
    assert (line["namespace"], line["pod"]) == ("demo", "web")
    assert "hunter2" not in json.dumps(lines)


async def test_a_refusal_is_logged_with_its_words_and_what_is_left_only_for_who_debugs(
    client: Any, review_of: ReviewOf, ordinary_pod: dict[str, Any]
) -> None:
    with capture_logs() as lines:
        await answer_to(client, review_of(ordinary_pod, namespace="misspelt"))
        await answer_to(client, review_of(ordinary_pod, namespace="plain"))
    refused, left = lines
    assert (refused["log_level"], refused["decision"]) == ("info", "refused")
    assert "found 'yes'" in refused["error"]
    assert (left["log_level"], left["decision"]) == ("debug", "left")


@asynccontextmanager
async def served(configuration: MeshConfiguration, tls: ssl.SSLContext) -> AsyncIterator[int]:
    """The port of the service as a process runs it, stopped and drained afterwards."""
    listening, stopping = socket.create_server(("127.0.0.1", 0)), asyncio.Event()
    service = asyncio.create_task(https_service(application(configuration, labels), listening, tls)(stopping))
    try:
        yield listening.getsockname()[1]
    finally:
        stopping.set()
        await service


async def test_it_serves_verified_tls_until_it_is_stopped(
    configuration: MeshConfiguration,
    server_tls: ssl.SSLContext,
    client_tls: ssl.SSLContext,
    review_of: ReviewOf,
    ordinary_pod: dict[str, Any],
) -> None:
    async with (
        served(configuration, server_tls) as port,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=client_tls)) as session,
        session.post(f"https://127.0.0.1:{port}/inject", data=review_of(ordinary_pod), headers=JSON) as answer,
    ):
        assert answer.status == 200
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br"])
async def test_a_compressed_body_is_refused_unread(
    configuration: MeshConfiguration,
    server_tls: ssl.SSLContext,
    client_tls: ssl.SSLContext,
    coding: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    headers, body = {**JSON, "Content-Encoding": coding}, b"not compressed at all"
    async with (
        served(configuration, server_tls) as port,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=client_tls)) as session,
        session.post(f"https://127.0.0.1:{port}/inject", data=body, headers=headers) as answer,
    ):
        assert answer.status == 415
        assert "Content-Encoding" in (await answer.json())["message"]
    assert caplog.records == [], "nothing was raised over a body that is not read"


async def test_a_request_under_way_when_it_is_stopped_is_answered(
    configuration: MeshConfiguration,
    server_tls: ssl.SSLContext,
    client_tls: ssl.SSLContext,
    review_of: ReviewOf,
    ordinary_pod: dict[str, Any],
) -> None:
    listening, stopping = socket.create_server(("127.0.0.1", 0)), asyncio.Event()
    service = asyncio.create_task(https_service(application(configuration, labels), listening, server_tls)(stopping))
    body = review_of(ordinary_pod)
    reader, writer = await asyncio.open_connection(*listening.getsockname()[:2], ssl=client_tls)
    head = (
        f"POST /inject HTTP/1.1\r\nHost: webhook\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        "Expect: 100-continue\r\nConnection: close\r\n\r\n"
    )
    writer.write(head.encode())
    assert (await reader.readline()).startswith(b"HTTP/1.1 100")
    stopping.set()
    writer.write(body)
    await writer.drain()
    received = await reader.read()
    assert b"HTTP/1.1 200 OK" in received
    assert b'"allowed":true' in received
    writer.close()
    await asyncio.wait_for(service, 5)
