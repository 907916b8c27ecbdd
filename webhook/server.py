"""The webhook's HTTP application: bodies in, answers out, counted and logged. Shell; what to answer is `admission`'s.

It goes on after anything a client sends. Whatever keeps it from an answer is an HTTP status and never `allowed: false`:
to the API server that is a call that failed, and what becomes of the pod is its namespace's choice (failurePolicy).
With Retry-After, on 429 and 5xx alone, its client asks again within the call's timeout (client-go's with_retry.go).
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from time import monotonic, perf_counter
from typing import ClassVar, Final, TypeAlias, cast

import structlog
from aiohttp import hdrs, web

from kube.connections import https_service
from proa.errors import Invalid, ProaError
from proa.mesh import MeshConfiguration
from webhook.admission import Answer, admission
from webhook.bodies import JSON, LARGEST_BODY, Bodies, Overloaded
from webhook.deadline import patience
from webhook.decision import TRACES, NamespaceUnknown
from webhook.entries import BELIEFS, Belief
from webhook.metrics import Metrics
from webhook.review import Request, RetryHint, Unreadable, admission_request, failure, refusal, review
from webhook.sidecar import Sidecar, sidecar

__all__ = ["LARGEST_BODY", "Injector", "Template", "application", "https_service", "routes", "template"]

Labels: TypeAlias = Mapping[str, str]
NamespaceLabels: TypeAlias = Callable[[str], Labels | None]
"""Answers a namespace's labels from memory, None where it has not been seen: no request waits for the network."""
Arrival: TypeAlias = Callable[[str, float], Awaitable[Labels | None]]
"""Waits so many seconds, or less, for a namespace that has not been seen: more often than not it was made just now."""

WAITING: Final = 256
"""Reviews that wait for their namespace at a time; all others are answered as they come, one after the other."""
_RETRY_SECONDS: Final = 1
_HEADERS: Final = {hdrs.CONTENT_TYPE: JSON}


@dataclass(eq=False)
class NotConfigured(ProaError):
    """No mesh configuration has been loaded yet."""

    code: ClassVar[str] = "not_configured"

    def __str__(self) -> str:
        return "this webhook has not loaded the mesh configuration yet: try again"


@dataclass(eq=False)
class Late(ProaError):
    """The caller has given up by now."""

    code: ClassVar[str] = "late"
    seconds: float

    def __str__(self) -> str:
        return f"the review came whole only after the {self.seconds:g} s that its caller waits: it was not begun"


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

    async def arrival(namespace: str, _seconds: float) -> Labels | None:
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


@dataclass(slots=True)
class _Webhook:
    injector: Injector
    log: structlog.typing.FilteringBoundLogger
    bodies: Bodies = field(default_factory=Bodies)
    waiting: int = 0

    def answering(self, believed: Belief) -> Callable[[web.Request], Awaitable[web.Response]]:
        """Reviews, with what is *believed* of the namespace because of the path on which they come."""

        async def answer(http: web.Request) -> web.Response:
            return await self._answer(http, believed)

        return answer

    async def _answer(self, http: web.Request, believed: Belief) -> web.Response:
        try:
            answer = await self._reviewed(http, believed)
        except Unreadable as error:
            answer = self._failed("unreadable", str(error.http_status), error.http_status, error)
        except Late as error:
            answer = self._failed("late", error.code, 504, error)
        except Overloaded as error:
            answer = self._put_off("overloaded", 429, error)
        except (NamespaceUnknown, NotConfigured) as error:
            answer = self._put_off("unavailable", 503, error)
        if self.injector.stopping():
            answer.headers[hdrs.CONNECTION] = "close"
            answer.force_close()
        return answer

    async def _reviewed(self, http: web.Request, believed: Belief) -> web.Response:
        deadline = monotonic() + _patience(http)
        body = await self.bodies.read(http, deadline - monotonic())
        try:
            if monotonic() >= deadline:
                raise Late(_patience(http))
            started = perf_counter()
            request = admission_request(body)
            answer = await self._decided(request, believed, deadline)
        finally:
            self.bodies.release(body)
        self._tell(request, answer)
        sent = web.Response(body=review(answer.response, request.api_version), headers=_HEADERS)
        self.injector.metrics.took(perf_counter() - started)
        return sent

    async def _decided(self, request: Request, believed: Belief, deadline: float) -> Answer:
        current = self.injector.current()
        if current is None:
            raise NotConfigured
        labels = self.injector.namespaces(request.namespace)
        try:
            known = None if labels is None else believed(labels)
            return admission(request, known, current.configuration, current.sidecar)
        except NamespaceUnknown:
            labels = await self._arrival(request.namespace, deadline)
            return admission(request, believed(labels), current.configuration, current.sidecar)

    async def _arrival(self, namespace: str, deadline: float) -> Labels | None:
        """Within half of what is left: the API server rounds what it says up, and the answer has a way to go."""
        if self.waiting >= WAITING:
            raise Overloaded("reviews that wait for their namespace")
        self.waiting += 1
        try:
            return await self.injector.arrival(namespace, (deadline - monotonic()) / 2)
        finally:
            self.waiting -= 1

    def _tell(self, request: Request, answer: Answer) -> None:
        """One line a pod; what is left as it is would be a line of most pods of a cluster that injects few."""
        decision, reason = answer.response.verdict
        self.injector.metrics.answered(decision, reason)
        left = decision == "left"
        tell = self.log.debug if left else self.log.info
        told: dict[str, object] = {"rules": TRACES.get(reason, ())} if left else {}
        told |= {} if answer.response.status is None else {"error": answer.response.status.message}
        told |= {"decision": decision, "reason": reason}
        tell("answered", uid=request.uid, namespace=request.namespace, pod=answer.pod, **told)

    def _put_off(self, decision: str, status: int, error: ProaError) -> web.Response:
        answer = self._failed(decision, error.code, status, error, RetryHint(retry_after_seconds=_RETRY_SECONDS))
        answer.headers[hdrs.RETRY_AFTER] = str(_RETRY_SECONDS)
        return answer

    def _failed(
        self, decision: str, reason: str, status: int, error: ProaError, details: RetryHint | None = None
    ) -> web.Response:
        self.injector.metrics.answered(decision, reason)
        self.log.info(decision, status=status, error=str(error))
        return web.Response(status=status, body=failure(refusal(status, str(error), details)), headers=_HEADERS)


def _patience(http: web.Request) -> float:
    try:
        return patience(http.rel_url.raw_query_string)
    except Invalid as problem:
        raise Unreadable(problem.field, problem.found, problem.allowed) from problem
