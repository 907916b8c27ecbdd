"""The SVIDs of this node's pods, in memory: one for each pod that asked, renewed when it asks and it is due. Shell.

Due it is also when the roots are others and none of them vouches for it: its peers take it no more. It is asked for
once then, and not again until they change: the authority may issue below a root that this node does not know yet.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, TypeAlias

import structlog
from cryptography import x509

from ca.istio.limits import Limits, Rate
from ca.istio.verdict import Code
from node.workload.attestation import Workload, WorkloadRefused
from node.workload.metrics import Metrics
from node.workload.svid import Svid
from proa.clock import Clock
from proa.identity import WorkloadIdentity

Issues: TypeAlias = Callable[[WorkloadIdentity], Awaitable[Svid]]
"""Raises WorkloadRefused."""
AGAIN: Final = timedelta(seconds=30)
"""Until a renewal that failed is tried again."""
OF_A_POD: Final = Rate(5, 10.0)
"""Questions to the authority on behalf of one pod: whoever is refused and asks on must not use up its node's share."""
_LOG: Final = structlog.get_logger("node")


@dataclass(frozen=True, slots=True)
class _Held:
    """*roots* are those that it was held against."""

    svid: Svid
    roots: tuple[x509.Certificate, ...]


class Svids:
    """*roots* answers those of now."""

    def __init__(
        self,
        issues: Issues,
        roots: Callable[[], tuple[x509.Certificate, ...]],
        clock: Clock,
        metrics: Metrics,
        again: timedelta = AGAIN,
    ) -> None:
        self._issues, self._roots, self._again = issues, roots, again
        self._clock, self._metrics = clock, metrics
        self._held, self._turns = dict[str, _Held](), defaultdict[str, asyncio.Lock](asyncio.Lock)
        self._limits = Limits(OF_A_POD)

    def keep(self, uids: Iterable[str]) -> None:
        """Forget those of pods that are not among *uids*."""
        present = set(uids)
        for known in (self._held, self._turns):
            for uid in known.keys() - present:
                del known[uid]

    async def of(self, workload: Workload) -> Svid:
        """Its own, as good as one can be had. Raises WorkloadRefused."""
        async with self._turns[workload.uid]:
            held, now = self._held.get(workload.uid), self._clock()
            if held is not None and now < held.svid.due and self._is_vouched_for(held):
                return held.svid
            try:
                return await self._renewed(workload)
            except WorkloadRefused as refused:
                _LOG.warning("no SVID", pod_uid=workload.uid, identity=workload.identity.uri, error=str(refused))
                self._metrics.issued(refused.reason)
                if held is not None and now < held.svid.validity.not_after:
                    return held.svid
                raise

    def seconds(self, svid: Svid) -> float:
        """After which it is worth asking again."""
        due = svid.due - self._clock() if svid.ends_at(self._roots()) else self._again
        return max(due, self._again).total_seconds()

    def _is_vouched_for(self, held: _Held) -> bool:
        """Or was asked for by the same roots."""
        return held.roots == self._roots() or held.svid.ends_at(self._roots())

    async def _renewed(self, workload: Workload) -> Svid:
        if self._limits.wait(workload.uid, asyncio.get_running_loop().time()):
            raise WorkloadRefused(Code.UNAVAILABLE, "PodTooOften", "too many failures of late")
        roots = self._roots()
        fresh = await self._issues(workload.identity)
        self._held[workload.uid] = _Held(fresh, roots)
        self._metrics.issued("done")
        known = {"identity": workload.identity.uri, "serial": f"{fresh.serial:x}"}
        _LOG.info("SVID issued", pod_uid=workload.uid, not_after=fresh.validity.not_after.isoformat(), **known)
        return fresh
