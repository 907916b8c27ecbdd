"""What NRI's runtime and its plugins tell each other. Pure.

pkg/api/api.proto of containerd/nri 0.3 to 0.12, described by the few fields that we read or write; ttrpc's envelope is
its request.proto. Up to 0.11 a sandbox is told of by StateChange, from 0.12 on by a call of its own.
"""

from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from google.protobuf.descriptor_pb2 import FieldDescriptorProto
from google.protobuf.message import DecodeError

from node.cni import Owner
from node.nri.frames import Garbled
from proa.errors import shown
from proa.protobuf import Field, kinds

NAME: Final = "proa"
"""By which the runtime's configuration may require us (docs/node-mode.md)."""
_INDEX: Final = "50"
"""Among plugins; it does not matter to us."""
_PACKAGE: Final = "nri.pkg.api.v1alpha1"
_RUN, _STOP = 1, 2
"""Of enum Event."""
_CALLS: Final = {"RunPodSandbox": _RUN, "StopPodSandbox": _STOP}
_EVENTS: Final = 1 << (_RUN - 1) | 1 << (_STOP - 1)
_UNKNOWN, _UNIMPLEMENTED = 2, 12
"""Codes of google.rpc.Status."""
_SECONDS: Final = 2.0
"""How long the runtime waits for an answer, where it does not say (DefaultPluginRequestTimeout)."""
_MOST_SECONDS: Final = 20.0
_LONGEST_TEXT: Final = 2000

_TEXT: Final = FieldDescriptorProto.TYPE_STRING
_BYTES: Final = FieldDescriptorProto.TYPE_BYTES
_MESSAGE: Final = FieldDescriptorProto.TYPE_MESSAGE
_INT32: Final = FieldDescriptorProto.TYPE_INT32
_INT64: Final = FieldDescriptorProto.TYPE_INT64
_UINT32: Final = FieldDescriptorProto.TYPE_UINT32
_BOOL: Final = FieldDescriptorProto.TYPE_BOOL


@dataclass(frozen=True, slots=True)
class Configure:
    """*seconds* is how long the runtime waits for an answer, from now on."""

    runtime: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Synchronize:
    """Which sandboxes there are, in several parts; the last is not *more*."""

    more: bool


@dataclass(frozen=True, slots=True)
class Run:
    """A sandbox is made: its network and its first process, *pid*, are there, and no container. 0 for none is told."""

    owner: Owner
    pid: int


@dataclass(frozen=True, slots=True)
class Stop:
    owner: Owner


@dataclass(frozen=True, slots=True)
class Other:
    """Nothing of ours. *known* is whether it is something at all."""

    known: bool


Asked: TypeAlias = Configure | Synchronize | Run | Stop | Other

_ours = kinds(
    _PACKAGE,
    {
        "RegisterPluginRequest": (Field(1, "plugin_name", _TEXT), Field(2, "plugin_idx", _TEXT)),
        "ConfigureRequest": (
            Field(2, "runtime_name", _TEXT),
            Field(3, "runtime_version", _TEXT),
            Field(5, "request_timeout", _INT64),
        ),
        "FailurePolicy": (Field(1, "fail_request", _BOOL),),
        "ConfigureResponse": (
            Field(2, "events", _INT32),
            Field(3, "failure_policy", _MESSAGE, of=f".{_PACKAGE}.FailurePolicy"),
        ),
        "SynchronizeRequest": (Field(3, "more", _BOOL),),
        "SynchronizeResponse": (Field(2, "more", _BOOL),),
        "PodSandbox": (
            Field(2, "name", _TEXT),
            Field(3, "uid", _TEXT),
            Field(4, "namespace", _TEXT),
            Field(9, "pid", _UINT32),
        ),
        "PodSandboxRequest": (Field(1, "pod", _MESSAGE, of=f".{_PACKAGE}.PodSandbox"),),
        "StateChangeEvent": (
            Field(1, "event", _INT32),
            Field(2, "pod", _MESSAGE, of=f".{_PACKAGE}.PodSandbox"),
        ),
    },
)
_ttrpc = kinds(
    "ttrpc",
    {
        "Request": (Field(1, "service", _TEXT), Field(2, "method", _TEXT), Field(3, "payload", _BYTES)),
        "Status": (Field(1, "code", _INT32), Field(2, "message", _TEXT)),
        "Response": (Field(1, "status", _MESSAGE, of=".ttrpc.Status"), Field(2, "payload", _BYTES)),
    },
)


def registration() -> bytes:
    """What a plugin asks first."""
    payload = _ours["RegisterPluginRequest"](plugin_name=NAME, plugin_idx=_INDEX).SerializeToString()
    asked = _ttrpc["Request"](service=f"{_PACKAGE}.Runtime", method="RegisterPlugin", payload=payload)
    return bytes(asked.SerializeToString())


def refusal(response: bytes) -> str:
    """Why the runtime refused what we asked; "" if it did not. Raises Garbled."""
    status = _read(_ttrpc["Response"], response).status
    return f"code {status.code}: {shown(status.message)}" if status.code else ""


def asked(request: bytes) -> Asked:
    """What the runtime asks. Raises Garbled."""
    envelope = _read(_ttrpc["Request"], request)
    if envelope.service != f"{_PACKAGE}.Plugin":
        return Other(known=False)
    match envelope.method:
        case "Configure":
            return _configure(_read(_ours["ConfigureRequest"], envelope.payload))
        case "Synchronize":
            return Synchronize(bool(_read(_ours["SynchronizeRequest"], envelope.payload).more))
        case "RunPodSandbox" | "StopPodSandbox" | "StateChange" as method:
            return _of_sandbox(method, envelope.payload)
        case method:
            return Other(known=method == "Shutdown")


def subscription() -> bytes:
    """The answer to Configure. A runtime that knows the policy, of NRI 0.12.5 on, starts no pod if our answer is lost;
    others pass it by, and start the pod."""
    policy = _ours["FailurePolicy"](fail_request=True)
    return done(_ours["ConfigureResponse"](events=_EVENTS, failure_policy=policy).SerializeToString())


def parts(*, more: bool) -> bytes:
    """The answer to Synchronize: its *more* is said again, by who understands that there are several parts."""
    return done(_ours["SynchronizeResponse"](more=more).SerializeToString())


def done(payload: bytes = b"") -> bytes:
    return bytes(_ttrpc["Response"](payload=payload).SerializeToString())


def failed(why: str) -> bytes:
    return _answer(_UNKNOWN, why)


def unknown() -> bytes:
    return _answer(_UNIMPLEMENTED, "proa knows no such method")


def _answer(code: int, why: str) -> bytes:
    text = why.encode(errors="backslashreplace").decode()[:_LONGEST_TEXT]  # what cannot be sent would be no answer
    status = _ttrpc["Status"](code=code, message=text)
    return bytes(_ttrpc["Response"](status=status).SerializeToString())


def _configure(message: Any) -> Configure:
    seconds = message.request_timeout / 1000 if message.request_timeout > 0 else _SECONDS
    return Configure(shown(f"{message.runtime_name} {message.runtime_version}"), min(seconds, _MOST_SECONDS))


def _of_sandbox(method: str, payload: bytes) -> Run | Stop | Other:
    told = _read(_ours["StateChangeEvent" if method == "StateChange" else "PodSandboxRequest"], payload)
    event = told.event if method == "StateChange" else _CALLS[method]
    if event == _RUN:
        return Run(_owner(told.pod), int(told.pod.pid))
    return Stop(_owner(told.pod)) if event == _STOP else Other(known=True)


def _owner(pod: Any) -> Owner:
    return Owner(pod.namespace, pod.name, pod.uid)


def _read(kind: Any, message: bytes) -> Any:
    try:
        return kind.FromString(message)
    except DecodeError as error:
        raise Garbled(f"a message that is none: {error}") from error
