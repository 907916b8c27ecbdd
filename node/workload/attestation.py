"""Who calls the Workload API: the pod whose control group the calling process is in. Pure.

A caller shows nothing (SPIFFE Workload Endpoint §5): the kernel says which process it is, its control groups say whose.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from ca.istio.verdict import Code
from node.cgroups import pod_uid
from node.pods import Pod
from proa.errors import Invalid, ProaError
from proa.identity import TrustDomain, WorkloadIdentity

HEADER: Final = ("workload.spiffe.io", "true")
"""Of every call (§3): a request that somebody else was talked into making has no such header."""


@dataclass(eq=False)
class WorkloadRefused(ProaError):
    """No answer: *status* is gRPC's, as §6 wants it, *reason* in CamelCase is for the metric and the log."""

    code: ClassVar[str] = "workload_refused"
    status: Code
    reason: str
    message: str

    def __str__(self) -> str:
        return self.message


@dataclass(frozen=True, slots=True)
class Workload:
    """A pod by its UID, and who it is."""

    uid: str
    identity: WorkloadIdentity


def check_header(metadata: Iterable[tuple[str, object]]) -> None:
    """Raises WorkloadRefused."""
    key, value = HEADER
    if [each for name, each in metadata if name == key] != [value]:
        raise WorkloadRefused(Code.INVALID_ARGUMENT, "NoHeader", f"a call needs {key}: {value}")


def workload(groups: str | None, pods: Sequence[Pod], domain: TrustDomain) -> Workload:
    """Whose the caller is, by its /proc/PID/cgroup, of the node's *pods*. Raises WorkloadRefused.

    *groups* are None of a process that has ended: whoever holds its connection is not known.
    """
    if groups is None:
        raise _denied("ProcessEnded", "the process that opened the connection has ended")
    uid = pod_uid(groups)
    if not uid:
        raise _denied("NotAPod", "the caller is in no pod of this node")
    found = next((each for each in pods if each.uid == uid), None)
    if found is None:
        # The watch may tell of it in a moment.
        raise WorkloadRefused(Code.UNAVAILABLE, "PodNotKnown", "the caller's pod is not known yet")
    try:
        return Workload(uid, WorkloadIdentity(domain, found.key.namespace, found.account))
    except Invalid as problem:
        raise _denied("NoIdentity", "the caller's pod has no service account that could be one") from problem


def _denied(reason: str, message: str) -> WorkloadRefused:
    return WorkloadRefused(Code.PERMISSION_DENIED, reason, message)
