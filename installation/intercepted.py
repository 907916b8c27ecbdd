"""What of a pod's traffic goes to its sidecar, read from the pod: whoever programs it reads the same. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NoReturn

from init.flags import Await, Install, Request, request
from init.istio import translated
from init.sources import PREFIX, arguments
from installation.trees import listed, member, text, texts
from proa import names
from proa.capture.annotation import ANNOTATION, from_annotation
from proa.capture.interception import Interception
from proa.capture.settings import RESOLV_CONF
from proa.errors import Invalid, Refused, shown
from proa.json import Json

_INIT: Final = f"the container {names.INIT_CONTAINER}"
_ANNOTATED: Final = f"the annotation {ANNOTATION}, by which the node's agent programs the pod"
_PROGRAM: Final = "proa-init"


@dataclass(frozen=True, slots=True)
class Bare:
    """No rule of Proa's is in the pod."""

    why: str


@dataclass(frozen=True, slots=True)
class Intercepted:
    interception: Interception
    said_by: str
    """Where in the pod it stands."""


def intercepted(pod: Json) -> Intercepted | Bare:
    """Of a pod as the API server or a file has it. Raises Refused where what it says cannot be used or known."""
    annotations = texts(pod, "metadata", "annotations")
    if ANNOTATION in annotations:
        return Intercepted(from_annotation(annotations[ANNOTATION]), _ANNOTATED)
    container = _of_init(pod, "spec", "initContainers")
    if container is None:
        injected = names.STATUS in annotations
        return Bare(f"the pod's sidecar came without {_INIT}" if injected else "the pod carries no sidecar of Proa's")
    return Intercepted(_told(container), f"the arguments of {_INIT}")


def _of_init(pod: Json, *path: str) -> Json:
    """What the list at *path* has of `proa-init`."""
    return next((each for each in listed(pod, *path) if text(each, "name") == names.INIT_CONTAINER), None)


def _told(container: Json) -> Interception:
    program, *given = [str(each) for key in ("command", "args") for each in listed(container, key)] or [_PROGRAM]
    if program != _PROGRAM:
        raise _refusal("command", program, _PROGRAM)
    environment = {text(each, "name"): text(each, "value") for each in listed(container, "env")}
    if file := environment.get(f"{PREFIX}FILE"):
        raise _refusal(f"{PREFIX}FILE", file, "nothing: a file of the pod's is not to be seen from here")
    asked = request(_words(given, environment), _unseen)
    match asked.action if isinstance(asked, Request) else asked:
        case Install(wanted) | Await(wanted, _):
            return wanted
        case other:
            raise _refusal("args", type(other).__name__.lower(), "what intercepts, or waits until somebody has")


def _words(given: list[str], environment: Mapping[str, str]) -> tuple[str, ...]:
    """As proa-init itself puts them together."""
    if given[:1] == ["--istio"]:
        return tuple(translated(given[1:], environment))
    return arguments(given, environment, "")


def _unseen() -> NoReturn:
    raise _refusal("--dns", RESOLV_CONF, "servers by their addresses: the pod's own file is not to be seen from here")


def _refusal(field: str, found: str, allowed: str) -> Refused:
    return Refused(_INIT, (Invalid(field, shown(found), allowed),))


def awaited(pod: Json) -> bool:
    """Whether `proa-init` of a pod of a cluster has yet to end well: only then is everything in force."""
    found = _of_init(pod, "status", "initContainerStatuses")
    return found is not None and member(found, "state", "terminated", "exitCode") != 0
