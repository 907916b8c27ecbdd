"""An admission request to its response: what the API server is told about one pod. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, assert_never

import msgspec

from proa.errors import Invalid, ProaError, Refused, shown
from proa.json import Json
from proa.mesh import MeshConfiguration
from webhook.decision import Inject, Leave, Subject
from webhook.decoding import decoded
from webhook.injection import Injection, injection
from webhook.pod import Pod
from webhook.review import GroupVersionKind, Request, Response, audit, refusal
from webhook.sidecar import Sidecar

_TARGET: Final = (GroupVersionKind(version="v1", kind="Pod"), "CREATE", "")
"""Kind, operation and subresource of the only requests that are answered."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What to answer, and the name of the pod it is about: empty where the pod could not be read."""

    response: Response
    pod: str


def admission(
    request: Request, namespace_labels: Mapping[str, str] | None, configuration: MeshConfiguration, added: Sidecar
) -> Answer:
    """What to answer: *added* as a patch, nothing to change, or a refusal that names every field at fault.

    Raises NamespaceUnknown: there is no answer yet, not even a refusal.
    """
    try:
        _check_target(request)
    except Refused as error:
        return Answer(_denied(request, error, 400), "")
    name = ""
    try:
        pod = decoded(request.object, Pod, "object")
        name = pod.name
        subject = Subject(pod, request.namespace, namespace_labels, configuration)
        injected = injection(subject, added, lambda: _plain(request))
        return Answer(_admitted(request, injected, again=pod.carries_sidecar), name)
    except (Invalid, Refused) as error:
        return Answer(_denied(request, error, 422), name)


def _plain(request: Request) -> Json:
    """All of the pod, which few answers need."""
    return decoded(request.object, dict[str, Any], "object")


def _check_target(request: Request) -> None:
    """A webhook registered for anything but the creation of pods is refused, not ignored: it costs every call."""
    found = (request.kind, request.operation, request.sub_resource)
    if found != _TARGET:
        problems = (
            Invalid(f"request.{field}", shown(str(each)), shown(str(allowed)))
            for field, each, allowed in zip(("kind", "operation", "subResource"), found, _TARGET, strict=True)
            if each != allowed
        )
        raise Refused("the admission request", tuple(problems))


def _admitted(request: Request, injected: Injection, *, again: bool) -> Response:
    match injected.decision:
        case Leave(reason):
            told = audit("left", reason.code, again=again)
            return Response(uid=request.uid, allowed=True, audit_annotations=told, warnings=injected.warnings)
        case Inject(reason):
            return Response(
                uid=request.uid,
                allowed=True,
                audit_annotations=audit("injected", reason.code, again=again),
                patch_type="JSONPatch",
                patch=msgspec.json.encode(injected.operations),
                warnings=injected.warnings,
            )
        case _:
            assert_never(injected.decision)


def _denied(request: Request, error: ProaError, code: int) -> Response:
    return Response(
        uid=request.uid,
        allowed=False,
        audit_annotations=audit("refused", error.code),
        status=refusal(code, str(error)),
    )
