"""AdmissionReview v1 and v1beta1: bytes into a request, a response into bytes. Pure.

Shapes and meanings are those of `admission.k8s.io/v1`, whose fields v1beta1 has too, and of
`meta/v1` Status for what is refused.
"""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Final

import msgspec

from proa.errors import Invalid, shown
from webhook.decoding import decoded

V1: Final = "admission.k8s.io/v1"
V1BETA1: Final = "admission.k8s.io/v1beta1"
_VERSIONS: Final = (V1, V1BETA1)
_KIND: Final = "AdmissionReview"
_STATUS_REASONS: Final = {
    400: "BadRequest",
    408: "Timeout",
    413: "RequestEntityTooLarge",
    415: "UnsupportedMediaType",
    422: "Invalid",
    429: "TooManyRequests",
    503: "ServiceUnavailable",
    504: "Timeout",
}
"""meta/v1 StatusReason of each HTTP status that is answered here."""


class _Shape(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A part of the API: unknown fields are ignored, absent ones are not written."""


class _Head(_Shape, frozen=True):
    api_version: str
    kind: str


class GroupVersionKind(_Shape, frozen=True):
    version: str
    kind: str
    group: str = ""

    def __str__(self) -> str:
        return f"{self.group or 'core'}/{self.version} {self.kind}"


class Request(_Shape, frozen=True):
    """What the API server asks, in which version of the review. *object* is decoded later, and once."""

    uid: Annotated[str, msgspec.Meta(min_length=1)]
    kind: GroupVersionKind
    operation: str
    object: msgspec.Raw = msgspec.Raw(b"null")
    namespace: str = ""
    sub_resource: str = ""
    dry_run: bool | None = None
    api_version: str = V1
    """The review's: no request has a field of that name."""


class _Review(_Head, frozen=True):
    request: Request


class RetryHint(_Shape, frozen=True):
    """The API server turns it into a Retry-After header, which clients obey."""

    retry_after_seconds: int


class Status(_Shape, frozen=True):
    """Why something was refused, in the form every Kubernetes client prints. *code* is an HTTP status."""

    code: int
    reason: str
    message: str
    details: RetryHint | None = None


class Response(_Shape, frozen=True):
    """What the API server is told. *audit_annotations* are the decision and its reason (`audit`)."""

    uid: str
    allowed: bool
    audit_annotations: dict[str, str]
    patch_type: str | None = None
    patch: bytes | None = None
    """JSON here, base64 on the wire, as all bytes of the Kubernetes API."""
    warnings: tuple[str, ...] = ()
    status: Status | None = None

    @property
    def verdict(self) -> tuple[str, str]:
        """The decision and the reason's code."""
        decision, reason = self.audit_annotations.values()
        return decision, reason


def audit(decision: str, reason: str, *, again: bool = False) -> dict[str, str]:
    """Annotations for the audit log. An API server that asks *again* about a pod that it had injected takes no key a
    second time, and complains of it in its own log (k8s.io/apiserver, webhook/mutating/dispatcher.go)."""
    end = "-again" if again else ""
    return {f"decision{end}": decision, f"reason{end}": reason}


@dataclass(eq=False)
class Unreadable(Invalid):
    """A body that is no review: there is nothing to answer in, so the HTTP status says it."""

    code: ClassVar[str] = "unreadable"
    http_status: int = 400


def admission_request(body: bytes) -> Request:
    """The request of the AdmissionReview in *body*. Raises Unreadable naming the field at fault."""
    try:
        return _asked(body)
    except Invalid as problem:
        raise Unreadable(problem.field, problem.found, problem.allowed) from problem


def _asked(body: bytes) -> Request:
    try:
        found = decoded(body, _Review, "body")
    except Invalid:
        # Of something that is no review, what it is counts, and not what of a request it lacks.
        _check_head(decoded(body, _Head, "body"))
        raise
    _check_head(found)
    version, request = found.api_version, found.request
    return request if request.api_version == version else msgspec.structs.replace(request, api_version=version)


def _check_head(head: _Head) -> None:
    _check("apiVersion", head.api_version, *_VERSIONS)
    _check("kind", head.kind, _KIND)


def review(response: Response, api_version: str = V1) -> bytes:
    """The AdmissionReview that carries *response*, in the version that was asked in."""
    return msgspec.json.encode({"apiVersion": api_version, "kind": _KIND, "response": response})


def refusal(code: int, message: str, details: RetryHint | None = None) -> Status:
    """Why something is refused; *code* is one of 400, 408, 413, 415, 422, 429, 503 and 504."""
    return Status(code=code, reason=_STATUS_REASONS[code], message=message, details=details)


def failure(status: Status) -> bytes:
    """*status* as the body of an HTTP answer that is no review."""
    head = {"apiVersion": "v1", "kind": "Status", "status": "Failure"}
    return msgspec.json.encode({**head, **msgspec.to_builtins(status)})


def _check(field: str, found: str, *allowed: str) -> None:
    if found not in allowed:
        raise Invalid(field, shown(found), " or ".join(allowed))
