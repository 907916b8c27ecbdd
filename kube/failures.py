"""What the API server refuses, and that it cannot be reached: as typed errors that say what to do. Pure.

Which answer is which: https://kubernetes.io/docs/reference/using-api/api-concepts/ and the `Status` kind of meta/v1.
"""

from dataclasses import dataclass
from typing import ClassVar, Final, cast

import msgspec

from proa.errors import ProaError
from proa.json import Json

_LONGEST: Final = 400
"""Characters shown of an answer that is not the API server's: a proxy's page of HTML."""


@dataclass(eq=False)
class Unreachable(ProaError):
    """No answer from the API server at *address*: *cause* is what went wrong, *remedy* what to look at."""

    code: ClassVar[str] = "api_unreachable"
    address: str
    cause: str
    remedy: str

    def __str__(self) -> str:
        return f"the API server {self.address} cannot be reached: {self.cause}; {self.remedy}"


@dataclass(eq=False)
class ApiRefused(ProaError):
    """The API server answered *status* (HTTP) and *reason* (`Status.reason`, such as Invalid) to *request*.

    *message* is its own, which names the object and every field that is wrong. *retry_after* is how many seconds it
    asks to wait, where it does. The subclasses are those that a caller may want to tell apart.
    """

    code: ClassVar[str] = "api_refused"
    status: int
    reason: str
    message: str
    request: str = ""
    retry_after: float | None = None

    def __str__(self) -> str:
        return f"{self.message} ({self.status} {self.reason}{f' to {self.request}' if self.request else ''})"


@dataclass(eq=False)
class Unauthenticated(ApiRefused):
    """Who asks is not known: the token or the client certificate is missing, expired or of another cluster."""

    code: ClassVar[str] = "api_unauthenticated"


@dataclass(eq=False)
class Forbidden(ApiRefused):
    """Who asks may not: by RBAC, or an admission plug-in such as Pod Security."""

    code: ClassVar[str] = "api_forbidden"


@dataclass(eq=False)
class NotFound(ApiRefused):
    """The object is not there; or its namespace, or its kind."""

    code: ClassVar[str] = "api_not_found"


@dataclass(eq=False)
class Conflict(ApiRefused):
    """The object was changed since it was read, or a field that is applied belongs to another manager."""

    code: ClassVar[str] = "api_conflict"


@dataclass(eq=False)
class AlreadyExists(ApiRefused):
    code: ClassVar[str] = "api_already_exists"


@dataclass(eq=False)
class Expired(ApiRefused):
    """The resourceVersion is too old to watch from, or the list's next page is gone: list again."""

    code: ClassVar[str] = "api_expired"


_BY_STATUS: Final[dict[int, type[ApiRefused]]] = {
    401: Unauthenticated,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    410: Expired,
}
_WORTH_A_RETRY: Final = frozenset({408, 429, 500, 502, 503, 504})
"""Of another's making, and passing: overload, a restart, a slow etcd, a webhook of somebody's that is away."""


def refusal(status: int, body: bytes, request: str = "", retry_after: str = "") -> ApiRefused:
    """The error for an answer of *status* 400 or more; *retry_after* is the header of that name."""
    return refusal_of(_status(status, body), status, request, _seconds(retry_after))


def refusal_of(answer: Json, status: int = 0, request: str = "", retry_after: float | None = None) -> ApiRefused:
    """The error for a `Status` object, as an answer or as the object of a watch's ERROR event."""
    fields = answer if isinstance(answer, dict) else {}
    found = fields.get("code")
    code = found if isinstance(found, int) and not isinstance(found, bool) else status or 500
    reason = str(fields.get("reason") or "Unknown")
    kind = AlreadyExists if reason == "AlreadyExists" else _BY_STATUS.get(code, ApiRefused)
    match fields.get("details"):
        case {"retryAfterSeconds": int(seconds)} if retry_after is None and seconds > 0:
            retry_after = float(seconds)
        case _:
            pass
    return kind(code, reason, str(fields.get("message") or "no message"), request, retry_after)


def worth_a_retry(error: BaseException) -> bool:
    """Whether the same call may succeed later without anybody mending anything."""
    match error:
        case Unreachable():
            return True
        case ApiRefused(status=status):
            return status in _WORTH_A_RETRY
        case _:
            return False


def _status(status: int, body: bytes) -> Json:
    try:
        answer = cast("Json", msgspec.json.decode(body))
    except (msgspec.DecodeError, UnicodeDecodeError):
        answer = None
    if isinstance(answer, dict) and answer.get("kind") == "Status":
        return {**answer, "code": answer.get("code") or status}
    text = body.decode("utf-8", "replace").strip()
    return {"code": status, "message": text[:_LONGEST] or "an empty answer"}


def _seconds(header: str) -> float | None:
    return float(header) if header.isascii() and header.isdigit() else None
