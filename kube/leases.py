"""Who leads, as a Lease says it: who may take it, and what to write. Pure.

The rules are client-go's (k8s.io/client-go/tools/leaderelection): clocks are never compared between machines. A
follower counts from when it itself saw the Lease change, and takes it when it stays unchanged for its duration. The
leader counts from when it last sent a renewal that was taken, and gives up earlier.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from kube.resources import LEASES, Object
from proa.errors import Invalid
from proa.json import Json

_DURATION_SECONDS: Final = 15
_DEADLINE_SECONDS: Final = 10.0
_PAUSE_SECONDS: Final = 1.5


@dataclass(frozen=True, slots=True)
class Terms:
    """Seconds. *duration*: a Lease is its holder's so long after a renewal. *deadline*: a holder that could not renew
    for so long stops leading; what is left of the duration is for stopping. *pause*: between two tries, of leaders and
    followers, up to a fifth longer."""

    duration: int = _DURATION_SECONDS
    deadline: float = _DEADLINE_SECONDS
    pause: float = _PAUSE_SECONDS

    def __post_init__(self) -> None:
        if not 0 < 2 * self.pause < self.deadline < self.duration:
            found = f"pause {self.pause}, deadline {self.deadline}, duration {self.duration}"
            raise Invalid("the lease's terms", found, "0 < twice the pause < deadline < duration")


TERMS: Final = Terms()


@dataclass(frozen=True, slots=True)
class Candidate:
    """One that would lead. *identity* is of this process alone, such as its pod's name."""

    namespace: str
    lease: str
    identity: str


@dataclass(frozen=True, slots=True)
class Sight:
    """A Lease's spec, and since when, on our own clock, we have seen it so."""

    spec: Json
    since: float


def sight(before: Sight | None, lease: Object, now: float) -> Sight:
    """What is seen when *lease* is read at *now*. Changes beside the spec, as by a label, renew nothing."""
    spec = lease.get("spec")
    return before if before is not None and before.spec == spec else Sight(spec, now)


def open_to(candidate: Candidate, seen: Sight, now: float) -> bool:
    """Whether *candidate* may take the Lease: it is its own, nobody's, or was not renewed for its duration."""
    return holder(seen.spec) in ("", candidate.identity) or now - seen.since >= _duration(seen.spec)


def holder(spec: Json) -> str:
    match spec:
        case {"holderIdentity": str(identity)}:
            return identity
        case _:
            return ""


def claim(lease: Object | None, candidate: Candidate, terms: Terms, now: datetime) -> Object:
    """The Lease as *candidate* would hold it: written to where *lease* is, or created where it is None."""
    spec = _spec(lease)
    ours = holder(spec) == candidate.identity
    acquired: Object = {} if ours else {"acquireTime": _time(now), "leaseTransitions": _transitions(lease)}
    held: Json = {
        **spec,
        **acquired,
        "holderIdentity": candidate.identity,
        "leaseDurationSeconds": terms.duration,
        "renewTime": _time(now),
    }
    return {**(lease or _bare(candidate)), "spec": held}


def release(lease: Object, now: datetime) -> Object:
    """*lease* as nobody's: any follower takes it at its next try."""
    spec: Json = {**_spec(lease), "holderIdentity": "", "leaseDurationSeconds": 1, "renewTime": _time(now)}
    return {**lease, "spec": spec}


def _bare(candidate: Candidate) -> Object:
    metadata: Json = {"name": candidate.lease, "namespace": candidate.namespace}
    return {"apiVersion": LEASES.api_version, "kind": LEASES.kind, "metadata": metadata}


def _spec(lease: Object | None) -> Object:
    match lease:
        case {"spec": dict(spec)}:
            return spec
        case _:
            return {}


def _duration(spec: Json) -> float:
    match spec:
        case {"leaseDurationSeconds": int(seconds)}:
            return seconds
        case _:
            return _DURATION_SECONDS


def _transitions(lease: Object | None) -> int:
    match lease:
        case {"spec": {"leaseTransitions": int(times)}}:
            return times + 1
        case None:
            return 0
        case _:
            return 1


def _time(now: datetime) -> str:
    """A MicroTime of meta/v1; *now* is in UTC."""
    return now.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
