"""What became of the certificate that a pod's kubelet asked for last, as the API server tells it. Pure."""

from dataclasses import dataclass
from typing import Final, TypeAlias

import msgspec

from proa.errors import Invalid
from proa.json import Json

KEPT: Final = "the API server keeps a request for 15 minutes"
"""kube-controller-manager's podcertificaterequestcleaner, Kubernetes 1.37."""


class _Metadata(msgspec.Struct, frozen=True):
    name: str = ""
    creation: str = msgspec.field(name="creationTimestamp", default="")


class _Spec(msgspec.Struct, frozen=True):
    pod: str = msgspec.field(name="podName", default="")
    signer: str = msgspec.field(name="signerName", default="")


class _Condition(msgspec.Struct, frozen=True):
    type: str
    reason: str = ""
    message: str = ""


class _Status(msgspec.Struct, frozen=True):
    chain: str = msgspec.field(name="certificateChain", default="")
    conditions: tuple[_Condition, ...] = ()


class _Request(msgspec.Struct, frozen=True):
    metadata: _Metadata
    spec: _Spec
    status: _Status = _Status()


@dataclass(frozen=True, slots=True)
class Given:
    """The chain it got, in PEM."""

    chain: str


@dataclass(frozen=True, slots=True)
class NotGiven:
    """*why* there is none, in words."""

    why: str


Outcome: TypeAlias = Given | NotGiven


def outcome(requests: tuple[Json, ...], pod: str, signer: str) -> Outcome:
    """Of the newest of *requests* (PodCertificateRequests of its namespace) that *pod* made of *signer*."""
    mine = [each for each in map(_read, requests) if (each.spec.pod, each.spec.signer) == (pod, signer)]
    if not mine:
        return NotGiven(f"no request of the pod is there: {KEPT}")
    newest = max(mine, key=lambda each: each.metadata.creation)
    if newest.status.chain:
        return Given(newest.status.chain)
    said = "; ".join(f"{each.type}, {each.reason}: {each.message}" for each in newest.status.conditions)
    return NotGiven(f"its request {newest.metadata.name} {said or 'waits for an answer'}")


def _read(value: Json) -> _Request:
    try:
        return msgspec.convert(value, _Request)
    except msgspec.ValidationError as error:
        raise Invalid("the PodCertificateRequest", str(error), "certificates.k8s.io/v1") from error
