"""An admission request to its response: what the API server is told about one pod. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, assert_never

import msgspec

from proa.errors import Invalid, ProaError, Refused, shown
from proa.json import Json
from proa.mesh import MeshConfiguration
from webhook.decision import Inject, Leave, Reason, Rule, Subject
from webhook.decoding import decoded
from webhook.injection import ALREADY_INJECTED, Injection, injection
from webhook.pod import Pod
from webhook.review import GroupVersionKind, Request, Response, refusal
from webhook.sidecar import Sidecar

_TARGET: Final = (GroupVersionKind(version="v1", kind="Pod"), "CREATE", "")
"""Kind, operation and subresource of the only requests that are answered."""
_OVERRULING: Final = frozenset({"own_namespace", "system_namespace", "host_network", "windows"})
"""Reasons to leave a pod that hold whatever the pod asks for."""


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
        return Answer(_admitted(request, pod, injection(subject, added, lambda: _plain(request))), name)
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


def _admitted(request: Request, pod: Pod, injected: Injection) -> Response:
    match injected.decision:
        case Leave(reason):
            audit = {"decision": "left", "reason": reason.code}
            warnings = tuple(_warnings(pod, reason))
            return Response(uid=request.uid, allowed=True, audit_annotations=audit, warnings=warnings)
        case Inject(reason):
            return Response(
                uid=request.uid,
                allowed=True,
                audit_annotations={"decision": "injected", "reason": reason.code},
                patch_type="JSONPatch",
                patch=msgspec.json.encode(injected.operations),
            )
        case _:
            assert_never(injected.decision)


def _warnings(pod: Pod, reason: Rule | Reason) -> Iterator[str]:
    """Only for the user who does not get what they asked for: everybody else has what they expect."""
    wishes = (pod.labels.inject, pod.annotations.inject)
    if reason.code in _OVERRULING and ("enabled" in wishes or "true" in wishes):
        yield f"no sidecar although the pod asks for one: {reason.sentence}"
    if pod.carries_sidecar and reason is not ALREADY_INJECTED:
        yield f"the pod keeps the sidecar it came with (`proa uninject` takes it out): {reason.sentence}"


def _denied(request: Request, error: ProaError, code: int) -> Response:
    return Response(
        uid=request.uid,
        allowed=False,
        audit_annotations={"decision": "refused", "reason": error.code},
        status=refusal(code, str(error)),
    )
