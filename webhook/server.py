"""The webhook's HTTPS server: bodies in, answers out, counted and logged. Shell; what to answer is `admission`'s.

It goes on after anything a client sends.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import Final, TypeAlias, cast

import structlog
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest

from proa.errors import shown
from proa.mesh import MeshConfiguration
from proa.running import Service
from webhook.admission import admission
from webhook.review import Response, Unreadable, admission_request, failure, refusal, review
from webhook.sidecar import Sidecar, sidecar

NamespaceLabels: TypeAlias = Callable[[str], Mapping[str, str] | None]
"""Answers a namespace's labels from memory, None where it has not been seen: no request waits for the network."""

LARGEST_BODY: Final = 6 * 1024 * 1024
"""Twice what etcd takes of one object, as a review may hold the old object too; the bound Istio's injector has."""
_JSON: Final = "application/json"
_DRAIN_SECONDS: Final = 10.0
_READ_SECONDS: Final = 10.0
"""The API server sends a review in one go: whoever takes longer only holds memory."""
_BUCKETS: Final = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)


class _Metrics:
    """On a registry of its own, so that two servers of one process count apart."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._answers = Counter(
            "proa_injection",
            "Admission requests by what was decided and by the rule or error that decided.",
            ["decision", "reason"],
            registry=self.registry,
        )
        self._duration = Histogram(
            "proa_injection_duration_seconds",
            "Time from an admission request's body to the bytes of its answer.",
            buckets=_BUCKETS,
            registry=self.registry,
        )

    def answered(self, decision: str, reason: str) -> None:
        self._answers.labels(decision, reason).inc()

    def took(self, seconds: float) -> None:
        self._duration.observe(seconds)


@dataclass(frozen=True, slots=True)
class _Webhook:
    configuration: MeshConfiguration
    sidecar: Sidecar
    namespaces: NamespaceLabels
    metrics: _Metrics
    log: structlog.typing.FilteringBoundLogger

    async def inject(self, http: web.Request) -> web.Response:
        try:
            body = await _body(http)
            started = perf_counter()
            response = self._response(body)
        except Unreadable as error:
            return self._unreadable(error)
        audit, answer = response.audit_annotations, review(response)
        self.metrics.answered(audit["decision"], audit["reason"])
        self.metrics.took(perf_counter() - started)
        return web.Response(body=answer, content_type=_JSON)

    def _unreadable(self, error: Unreadable) -> web.Response:
        self.metrics.answered("unreadable", str(error.http_status))
        self.log.info("unreadable", status=error.http_status, error=str(error))
        answer = failure(refusal(error.http_status, str(error)))
        return web.Response(status=error.http_status, body=answer, content_type=_JSON)

    def _response(self, body: bytes) -> Response:
        request = admission_request(body)
        labels = self.namespaces(request.namespace)
        response = admission(request, labels, self.configuration, self.sidecar)
        self.log.debug("answered", uid=request.uid, namespace=request.namespace, **response.audit_annotations)
        return response

    async def metrics_page(self, _: web.Request) -> web.Response:
        return web.Response(body=generate_latest(self.metrics.registry), headers={"Content-Type": CONTENT_TYPE_LATEST})


def application(configuration: MeshConfiguration, namespaces: NamespaceLabels) -> web.Application:
    """The routes of a webhook that injects by *configuration*, which is turned into a sidecar once, here."""
    # Bound here, once: the logger that structlog hands out binds itself anew for each line.
    log = cast("structlog.typing.FilteringBoundLogger", structlog.get_logger("webhook").bind())
    webhook = _Webhook(configuration, sidecar(configuration), namespaces, _Metrics(), log)
    served = web.Application(client_max_size=LARGEST_BODY)
    served.router.add_post("/inject", webhook.inject)
    served.router.add_get("/healthz", _well)
    served.router.add_get("/readyz", _well)
    served.router.add_get("/metrics", webhook.metrics_page)
    return served


def https_service(served: web.Application, listening: socket.socket, tls: ssl.SSLContext) -> Service:
    """A service that answers on *listening* (bound by the caller, who so knows the port) until it is stopped.

    Then it takes no new connection, which makes it unready, and gives requests under way ten seconds.
    """

    async def serve(stopping: asyncio.Event) -> None:
        runner = web.AppRunner(served, access_log=None, shutdown_timeout=_DRAIN_SECONDS, auto_decompress=False)
        await runner.setup()
        try:
            await web.SockSite(runner, listening, ssl_context=tls).start()
            await stopping.wait()
        finally:
            await runner.cleanup()

    return serve


async def _body(http: web.Request) -> bytes:
    """The request's body, bounded. Raises Unreadable with the status it deserves."""
    if http.content_type != _JSON:
        raise Unreadable("Content-Type", shown(http.content_type), _JSON, http_status=415)
    encoding = http.headers.get("Content-Encoding", "identity")
    if encoding.lower() != "identity":
        raise Unreadable("Content-Encoding", shown(encoding), "identity", http_status=415)
    too_large = Unreadable("body", f"more than {LARGEST_BODY} bytes", f"at most {LARGEST_BODY}", http_status=413)
    if (http.content_length or 0) > LARGEST_BODY:
        raise too_large
    try:
        async with asyncio.timeout(_READ_SECONDS):
            body = await http.read()
    except web.HTTPRequestEntityTooLarge as error:
        raise too_large from error
    except TimeoutError as error:
        found = f"not all of it after {_READ_SECONDS:.0f} s"
        raise Unreadable("body", found, "a body that is sent at once", http_status=408) from error
    if not body:
        raise Unreadable("body", "nothing", "an AdmissionReview")
    return body


async def _well(_: web.Request) -> web.Response:
    """Alive and ready are one: everything an answer needs was made before the socket is listened on."""
    return web.Response(text="ok")
