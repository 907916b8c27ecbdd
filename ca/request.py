"""A PodCertificateRequest and what it speaks of, pod and service account, as values. Pure.

The API server has validated all of it (k8s.io/api/certificates/v1 types.go, Kubernetes 1.37), so what cannot be read
is another version's, and said so.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final, TypeAlias, TypeVar

import msgspec

from ca.csr import Proof
from proa.errors import Invalid
from proa.json import Json

ISSUED: Final = "Issued"
TERMINAL: Final = frozenset({ISSUED, "Denied", "Failed"})
"""Conditions after which the API server lets nobody change the status any more."""
_T = TypeVar("_T")


class _Metadata(msgspec.Struct, frozen=True):
    name: str
    uid: str
    namespace: str = ""


class _RequestSpec(msgspec.Struct, frozen=True, rename="camel"):
    signer_name: str
    pod_name: str
    pod_uid: str = msgspec.field(name="podUID")
    service_account_name: str
    service_account_uid: str = msgspec.field(name="serviceAccountUID")
    node_name: str
    max_expiration_seconds: int = 86400
    # The API server shows null where there is none.
    stub: bytes | None = msgspec.field(name="stubPKCS10Request", default=None)
    # Of kubelets older than 1.36, instead; only v1beta1 shows them.
    key: bytes | None = msgspec.field(name="pkixPublicKey", default=None)
    proof_of_possession: bytes | None = None


class _Condition(msgspec.Struct, frozen=True):
    type: str


class _RequestStatus(msgspec.Struct, frozen=True):
    conditions: tuple[_Condition, ...] = ()


class _Request(msgspec.Struct, frozen=True):
    metadata: _Metadata
    spec: _RequestSpec
    status: _RequestStatus = _RequestStatus()


class _PodSpec(msgspec.Struct, frozen=True, rename="camel"):
    service_account_name: str = ""
    node_name: str = ""


class _PodStatus(msgspec.Struct, frozen=True):
    phase: str = ""


class _Pod(msgspec.Struct, frozen=True):
    metadata: _Metadata
    spec: _PodSpec
    status: _PodStatus = _PodStatus()


class _ServiceAccount(msgspec.Struct, frozen=True):
    metadata: _Metadata


@dataclass(frozen=True, slots=True)
class Pending:
    """A request that waits for an answer."""

    namespace: str
    name: str
    uid: str
    signer: str
    pod: str
    pod_uid: str
    account: str
    account_uid: str
    node: str
    longest: timedelta
    """The life its certificate may have at most, counted from notBefore."""
    csr: bytes | Proof
    """PKCS#10 in DER, or what kubelets older than 1.36 send; empty where the API's version shows neither."""


@dataclass(frozen=True, slots=True)
class Answered:
    """A request that has its answer, and can be given no other; *issued* is the UID of a pod that got a certificate."""

    issued: str = ""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A request of another version's making."""

    problem: str


Request: TypeAlias = Pending | Answered | Unreadable


@dataclass(frozen=True, slots=True)
class Pod:
    """What a pod says about itself. None of it but the phase ever changes once it has a node."""

    uid: str
    account: str
    node: str
    phase: str


def certificate_request(value: Json) -> Request:
    """The request that the API server shows as *value*."""
    try:
        read = _converted(value, _Request, "the PodCertificateRequest")
    except Invalid as problem:
        return Unreadable(str(problem))
    outcomes = {condition.type for condition in read.status.conditions} & TERMINAL
    if outcomes:
        return Answered(read.spec.pod_uid if ISSUED in outcomes else "")
    meta, spec = read.metadata, read.spec
    return Pending(
        namespace=meta.namespace,
        name=meta.name,
        uid=meta.uid,
        signer=spec.signer_name,
        pod=spec.pod_name,
        pod_uid=spec.pod_uid,
        account=spec.service_account_name,
        account_uid=spec.service_account_uid,
        node=spec.node_name,
        longest=timedelta(seconds=spec.max_expiration_seconds),
        csr=Proof(spec.key, spec.proof_of_possession or b"") if spec.key else spec.stub or b"",
    )


def pod(value: Json) -> Pod:
    """Raises Invalid."""
    read = _converted(value, _Pod, "the pod")
    return Pod(read.metadata.uid, read.spec.service_account_name, read.spec.node_name, read.status.phase)


def account_uid(value: Json) -> str:
    """Of a ServiceAccount. Raises Invalid."""
    return _converted(value, _ServiceAccount, "the service account").metadata.uid


def _converted(value: Json, kind: type[_T], subject: str) -> _T:
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise Invalid(subject, str(error), "what Kubernetes' certificates.k8s.io/v1 describes") from error
