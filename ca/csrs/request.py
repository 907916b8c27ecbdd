"""A CertificateSigningRequest as a value, and the status that answers it. Pure.

k8s.io/api/certificates/v1, Kubernetes 1.37. *username*, *uid*, *groups* and *extra* are set by the API server from who
made the object; everything else in it is its maker's.
"""

import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeAlias

import msgspec

from ca.certificates import Chain
from proa import dns
from proa.errors import Invalid, shown
from proa.json import Json

_API: Final[Mapping[str, Json]] = {"apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest"}
_LONGEST_MESSAGE: Final = 1024
_POD_NAME: Final = "authentication.kubernetes.io/pod-name"
_POD_UID: Final = "authentication.kubernetes.io/pod-uid"
"""Extra of who shows a token that is bound to a pod (k8s.io/apiserver, serviceaccount.PodNameKey)."""
_ACCOUNT: Final = re.compile(
    rf"system:serviceaccount:(?P<namespace>{dns.LABEL}):(?P<name>{dns.SUBDOMAIN})",
)
_GROUP: Final = "system:serviceaccounts"


class _Metadata(msgspec.Struct, frozen=True, rename="camel"):
    name: str
    uid: str
    resource_version: str


class _Spec(msgspec.Struct, frozen=True, rename="camel"):
    signer_name: str
    request: bytes = b""
    usages: tuple[str, ...] = ()
    expiration_seconds: int | None = None
    username: str = ""
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: dict[str, tuple[str, ...]] = {}


class _Condition(msgspec.Struct, frozen=True):
    type: str
    status: str = "True"


class _Status(msgspec.Struct, frozen=True):
    certificate: bytes = b""
    conditions: tuple[_Condition, ...] = ()


class _Request(msgspec.Struct, frozen=True):
    metadata: _Metadata
    spec: _Spec
    status: _Status = _Status()


@dataclass(frozen=True, slots=True)
class Requester:
    """A pod, as its token says; whether it lives is another question."""

    namespace: str
    account: str
    account_uid: str
    pod: str
    pod_uid: str


@dataclass(frozen=True, slots=True)
class Approved:
    """A request that somebody approved and nobody has answered. *requester* is why there is none, where there is none;
    *seconds* the life that was asked for, None where nothing was."""

    name: str
    uid: str
    version: str
    signer: str
    csr: bytes
    usages: frozenset[str]
    seconds: timedelta | None
    requester: Requester | Invalid


@dataclass(frozen=True, slots=True)
class Settled:
    """It is answered, not approved yet, or denied: nothing is to be done."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A request of another version's making."""

    problem: str


SigningRequest: TypeAlias = Approved | Settled | Unreadable


def signing_request(value: Json) -> SigningRequest:
    try:
        read = msgspec.convert(value, _Request)
    except msgspec.ValidationError as error:
        return Unreadable(str(error))
    held = {each.type for each in read.status.conditions if each.status == "True"}
    if read.status.certificate or "Approved" not in held or {"Denied", "Failed"} & held:
        return Settled()
    meta, spec = read.metadata, read.spec
    return Approved(
        name=meta.name,
        uid=meta.uid,
        version=meta.resource_version,
        signer=spec.signer_name,
        csr=spec.request,
        usages=frozenset(spec.usages),
        seconds=None if spec.expiration_seconds is None else timedelta(seconds=spec.expiration_seconds),
        requester=_requester(spec),
    )


def issued(request: Approved, chain: Chain) -> Json:
    """For a server-side apply of the status: the leaf and the intermediates."""
    return _answer(request, {"certificate": b64encode(chain.pem.encode()).decode("ascii")})


def failed(request: Approved, reason: str, message: str, now: datetime) -> Json:
    """A signer's word for what it does not sign: `Denied` is the approver's, and excludes `Approved`."""
    moment = f"{now:%Y-%m-%dT%H:%M:%SZ}"
    condition: Json = {
        "type": "Failed",
        "status": "True",
        "reason": reason,
        "message": message[:_LONGEST_MESSAGE],
        "lastUpdateTime": moment,
        "lastTransitionTime": moment,
    }
    return _answer(request, {"conditions": [condition]})


def _answer(request: Approved, status: Json) -> Json:
    """For the very object that was looked at: refused if it was changed, or made anew under its name."""
    metadata: Json = {"name": request.name, "uid": request.uid, "resourceVersion": request.version}
    return {**_API, "metadata": metadata, "status": status}


def _requester(spec: _Spec) -> Requester | Invalid:
    found = _ACCOUNT.fullmatch(spec.username)
    if found is None or not {_GROUP, f"{_GROUP}:{found['namespace']}"} <= set(spec.groups):
        return Invalid("spec.username", shown(spec.username), "a service account, by whose token a pod asks")
    match spec.extra.get(_POD_NAME), spec.extra.get(_POD_UID):
        case (pod,), (uid,):
            return Requester(found["namespace"], found["name"], spec.uid, pod, uid)
        case _:
            return Invalid("spec.extra", "no pod", "a token that is bound to a pod, as a projected volume gives it")
