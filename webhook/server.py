"""The webhook's HTTP application: bodies in, answers out, counted and logged. Shell; what to answer is `admission`'s.

It goes on after anything a client sends.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import ClassVar, Final, TypeAlias, cast

import structlog
from aiohttp import hdrs, web

from proa.errors import ProaError, shown
from proa.mesh import MeshConfiguration
from webhook.admission import Answer, admission
from webhook.connections import https_service
from webhook.decision import TRACES, NamespaceUnknown
from webhook.entries import BELIEFS, Belief
from webhook.metrics import Metrics
from webhook.review import Request, Response, RetryHint, Unreadable, admission_request, failure, refusal, review
from webhook.sidecar import Sidecar, sidecar

__all__ = ["LARGEST_BODY", "Injector", "Template", "application", "https_service", "routes", "template"]

Labels: TypeAlias = Mapping[str, str]
NamespaceLabels: TypeAlias = Callable[[str], Labels | None]
"""Answers a namespace's labels from memory, None where it has not been seen: no request waits for the network."""
Arrival: TypeAlias = Callable[[str], Awaitable[Labels | None]]
"""Waits a moment for a namespace that has not been seen, which was made a moment ago more often than not."""

LARGEST_BODY: Final = 6 * 1024 * 1024
"""Twice what etcd takes of one object, as a review may hold the old object too; the bound Istio's injector has."""
_JSON: Final = "application/json"
_READ_SECONDS: Final = 10.0
"""The API server sends a review in one go: whoever takes longer only holds memory."""
_RETRY_SECONDS: Final = 1
_UNAVAILABLE: Final = 503


@dataclass(eq=False)
class NotConfigured(ProaError):
    """No mesh configuration has been loaded yet."""

    code: ClassVar[str] = "not_configured"

    def __str__(self) -> str:
        return "this webhook has not loaded the mesh configuration yet: try again"


@dataclass(frozen=True, slots=True)
class Template:
    """What pods are injected with: a configuration and the sidecar made of it, which change together."""

    configuration: MeshConfiguration
    sidecar: Sidecar


def template(configuration: MeshConfiguration) -> Template:
    return Template(configuration, sidecar(configuration))


@dataclass(frozen=True, slots=True)
class Injector:
    """All that an answer is made of. *current* is None until a configuration has been loaded; *stopping* says whether
    clients should look for another replica.
    """

    current: Callable[[], Template | None]
    namespaces: NamespaceLabels
    arrival: Arrival
    metrics: Metrics
    stopping: Callable[[], bool]


def application(configuration: MeshConfiguration, namespaces: NamespaceLabels) -> web.Application:
    """The routes of a webhook that injects by *configuration*, which is turned into a sidecar once, here."""
    fixed = template(configuration)

    async def arrival(namespace: str) -> Labels | None:
        return namespaces(namespace)

    return routes(Injector(lambda: fixed, namespaces, arrival, Metrics(), lambda: False))


def routes(injector: Injector) -> web.Application:
    # Bound here, once: the logger that structlog hands out binds itself anew for each line.
    log = cast("structlog.typing.FilteringBoundLogger", structlog.get_logger("webhook").bind())
    webhook = _Webhook(injector, log)
    served = web.Application(client_max_size=LARGEST_BODY)
    for path, belief in BELIEFS.items():
        served.router.add_post(path, webhook.answering(belief))
    return served


@dataclass(frozen=True, slots=True)
class _Webhook:
    injector: Injector
    log: structlog.typing.FilteringBoundLogger

    def answering(self, believed: Belief) -> Callable[[web.Request], Awaitable[web.Response]]:
        """Reviews, with what is *believed* of the namespace because of the path on which they come."""

        async def answer(http: web.Request) -> web.Response:
            return await self._answer(http, believed)

        return answer

    async def _answer(self, http: web.Request, believed: Belief) -> web.Response:
        try:
            body = await _body(http)
            started = perf_counter()
            response = await self._reviewed(admission_request(body), believed)
        except Unreadable as error:
            return self._failed("unreadable", str(error.http_status), error.http_status, error)
        except (NamespaceUnknown, NotConfigured) as error:
            # Not a refusal: the registration's failurePolicy says what becomes of a pod that nobody could review.
            return self._failed("unavailable", error.code, _UNAVAILABLE, error)
        audit, answer = response.audit_annotations, web.Response(body=review(response), content_type=_JSON)
        self.injector.metrics.answered(audit["decision"], audit["reason"])
        self.injector.metrics.took(perf_counter() - started)
        if self.injector.stopping():
            answer.headers[hdrs.CONNECTION] = "close"
            answer.force_close()
        return answer

    async def _reviewed(self, request: Request, believed: Belief) -> Response:
        current = self.injector.current()
        if current is None:
            raise NotConfigured
        labels = self.injector.namespaces(request.namespace)
        try:
            known = None if labels is None else believed(labels)
            answer = admission(request, known, current.configuration, current.sidecar)
        except NamespaceUnknown:
            labels = await self.injector.arrival(request.namespace)
            answer = admission(request, believed(labels), current.configuration, current.sidecar)
        self._tell(request, answer)
        return answer.response

    def _tell(self, request: Request, answer: Answer) -> None:
        """One line a pod; what is left as it is would be a line of most pods of a cluster that injects few."""
        audit = answer.response.audit_annotations
        left = audit["decision"] == "left"
        tell = self.log.debug if left else self.log.info
        told: dict[str, object] = {"rules": TRACES[audit["reason"]]} if left else {}
        told |= {} if answer.response.status is None else {"error": answer.response.status.message}
        tell("answered", uid=request.uid, namespace=request.namespace, pod=answer.pod, **audit, **told)

    def _failed(self, decision: str, reason: str, status: int, error: ProaError) -> web.Response:
        self.injector.metrics.answered(decision, reason)
        self.log.info(decision, status=status, error=str(error))
        if status != _UNAVAILABLE:
            return web.Response(status=status, body=failure(refusal(status, str(error))), content_type=_JSON)
        # The API server's client tries again after that, within the registration's timeout.
        body = failure(refusal(status, str(error), RetryHint(retry_after_seconds=_RETRY_SECONDS)))
        headers = {hdrs.RETRY_AFTER: str(_RETRY_SECONDS)}
        return web.Response(status=status, body=body, content_type=_JSON, headers=headers)


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
