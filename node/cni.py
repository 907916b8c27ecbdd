"""What a container runtime asks of a CNI plugin, and what it is answered. Pure.

https://www.cni.dev/docs/spec/, versions 0.3.1 to 1.1.0; Kubernetes' CNI_ARGS are those of containerd and CRI-O.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Final, TypeAlias

import msgspec

from proa.errors import ProaError, shown

VERSIONS: Final = ("0.3.1", "0.4.0", "1.0.0", "1.1.0")
_SINCE: Final = {"ADD": 0, "DEL": 0, "CHECK": 1, "GC": 3, "STATUS": 3}
"""Indexes of VERSIONS: when a command came."""

INCOMPATIBLE_VERSION: Final = 1
INVALID_ENVIRONMENT: Final = 4
UNDECODABLE: Final = 6
INVALID_CONFIGURATION: Final = 7
TRY_AGAIN_LATER: Final = 11
UNAVAILABLE: Final = 50
ANNOTATION_REFUSED: Final = 100
KERNEL_REFUSED: Final = 101
DIFFERENT: Final = 102
"""Codes of errors; from 100 on they are our own."""

_CONTAINER: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,254}")
_INTERFACE: Final = re.compile(r"(?!\.{1,2}\Z)[^\s/:]{1,15}")


@dataclass(eq=False)
class CniRefused(ProaError):
    """An answer that is an error: *number* is the protocol's code."""

    code: ClassVar[str] = "cni_refused"
    number: int
    message: str
    details: str = ""

    def __str__(self) -> str:
        return f"{self.message}: {self.details}" if self.details else self.message


@dataclass(frozen=True, slots=True)
class Owner:
    """The pod whose sandbox it is, by its names and its UID."""

    namespace: str
    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class NoPod:
    """A container of nobody's in Kubernetes: other tools use the same configuration."""


@dataclass(frozen=True, slots=True)
class Add:
    owner: Owner | NoPod
    former: bytes
    """The result of the plugins before, which is ours as well."""


@dataclass(frozen=True, slots=True)
class Check:
    owner: Owner | NoPod


@dataclass(frozen=True, slots=True)
class Delete:
    owner: Owner | NoPod


@dataclass(frozen=True, slots=True)
class Collect:
    """Leave nothing of attachments that are not valid any more. Which those are does not matter: there is nothing of
    them on the node, and what the agent knows of a pod goes with the pod."""


@dataclass(frozen=True, slots=True)
class Status:
    """Whether an Add may do. Who answers can ask the API server, whatever the watch has told so far; a no would make
    the whole node unready, and take its pods from their Services."""


Request: TypeAlias = Add | Check | Delete | Collect | Status


class _Configuration(msgspec.Struct, frozen=True):
    version: str = msgspec.field(name="cniVersion", default="")
    former: msgspec.Raw = msgspec.field(name="prevResult", default=msgspec.Raw(b""))


def request(variables: Mapping[str, str], document: bytes) -> Request:
    """What is asked by the environment's *variables* and the configuration. Raises CniRefused."""
    command, conf = variables.get("CNI_COMMAND", ""), _configuration(document)
    if command not in _SINCE:
        raise CniRefused(INVALID_ENVIRONMENT, f"CNI_COMMAND is {shown(command)}", f"known are {', '.join(_SINCE)}")
    if conf.version not in VERSIONS[_SINCE[command] :]:
        allowed = f"{command} is understood of {', '.join(VERSIONS[_SINCE[command] :])}"
        raise CniRefused(INCOMPATIBLE_VERSION, f"cniVersion is {shown(conf.version)}", allowed)
    match command:
        case "GC":
            return Collect()
        case "STATUS":
            return Status()
        case _:
            return _of_container(command, variables, conf)


def _of_container(command: str, variables: Mapping[str, str], conf: _Configuration) -> Add | Check | Delete:
    for name, pattern in (("CNI_CONTAINERID", _CONTAINER), ("CNI_IFNAME", _INTERFACE)):
        if not pattern.fullmatch(value := variables.get(name, "")):
            raise CniRefused(INVALID_ENVIRONMENT, f"{name} is {shown(value)}", "allowed is what the CNI protocol says")
    owner = _owner(variables.get("CNI_ARGS", ""))
    match command:
        case "ADD":
            return Add(owner, _former(conf))
        case "CHECK":
            return Check(owner)
        case _:
            return Delete(owner)


def version(document: bytes) -> str:
    """In which an answer to *document* is written: its own, if we know it."""
    try:
        found = _configuration(document).version
    except CniRefused:
        return VERSIONS[-1]
    return found if found in VERSIONS else VERSIONS[-1]


def refusal(error: CniRefused, spoken: str) -> bytes:
    """The error as the runtime reads it, in the version *spoken*."""
    fields = {"cniVersion": spoken, "code": error.number, "msg": error.message, "details": error.details}
    return msgspec.json.encode(fields)


def _configuration(document: bytes) -> _Configuration:
    try:
        if b"\0" in document:
            raise msgspec.DecodeError("a NUL is in it")
        return msgspec.json.decode(document, type=_Configuration)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise CniRefused(UNDECODABLE, "the configuration is not readable", str(error)) from error


def _former(conf: _Configuration) -> bytes:
    former = bytes(conf.former).strip()
    if not former.startswith(b"{"):
        raise CniRefused(INVALID_CONFIGURATION, "there is no prevResult", "chain proa-cni after the network's plugin")
    return former


def _owner(text: str) -> Owner | NoPod:
    """As libcni reads arguments, the last of a name counts."""
    pairs = (item.partition("=") for item in text.split(";"))
    arguments = {name: value for name, _, value in pairs}
    namespace, name, uid = (arguments.get(f"K8S_POD_{each}", "") for each in ("NAMESPACE", "NAME", "UID"))
    if not (namespace or name or uid):
        return NoPod()
    if not (namespace and name and uid):
        allowed = "namespace, name and UID of the pod: containerd 1.6, CRI-O 1.21 or a later one say them"
        raise CniRefused(INVALID_ENVIRONMENT, f"CNI_ARGS is {shown(text, 400)}", allowed)
    return Owner(namespace, name, uid)
