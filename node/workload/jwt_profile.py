"""The JWT profile of SPIFFE's Workload API (§6): a caller's own tokens, and what others' are worth. Shell."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import timedelta
from typing import Final, Protocol

from ca.istio.limits import Limits, Rate
from ca.istio.verdict import Code
from ca.jwt.keys import LIFETIME
from ca.jwt.svid import checked_audiences
from ca.trusted.messages import Trust
from node.workload.attestation import Workload, WorkloadRefused
from node.workload.kept import Ages, Kept
from node.workload.messages import (
    jwt_bundles_response,
    jwt_svid_asked,
    jwt_svid_response,
    validation_asked,
    validation_response,
)
from node.workload.server import Answer
from node.workload.token import Token, validated
from proa.clock import Clock
from proa.errors import Invalid
from proa.identity import TrustDomain, WorkloadIdentity

KEYS_SECONDS: Final = 60.0
"""After which the keys are asked for again. They are told for hours before they sign."""
KEPT: Final = LIFETIME
"""For which they serve while the authority is away: by then no token is left that it signed before."""
OF_A_POD: Final = Rate(20, 4.0)
"""Questions to the authority on behalf of one pod: enough to renew `MOST`. At one a second ten pods took all that the
authority answers their node (ca/istio/quota.py), certificates with it."""
MOST: Final = 32
"""Tokens that are kept of one pod, those that were asked for last."""


class Authority(Protocol):
    """Both raise WorkloadRefused."""

    async def token(self, identity: WorkloadIdentity, audiences: tuple[str, ...]) -> Token: ...

    async def key_set(self) -> bytes: ...


class JwtProfile:
    """*trusted* answers whom the mesh believes beside its own names and keys."""

    def __init__(self, authority: Authority, trusted: Callable[[], Awaitable[Trust]], clock: Clock) -> None:
        self._authority, self._trusted, self._clock = authority, trusted, clock
        self._held = dict[str, dict[tuple[str, ...], Token]]()
        self._limits = Limits(OF_A_POD)
        self._keys = Kept(authority.key_set, clock, Ages(timedelta(seconds=KEYS_SECONDS), KEPT))

    def keep(self, uids: Iterable[str]) -> None:
        """Forget those of pods that are not among *uids*."""
        for uid in self._held.keys() - set(uids):
            del self._held[uid]

    async def svids(self, request: bytes, workload: Workload) -> bytes:
        try:
            named, wanted = jwt_svid_asked(request)
            audiences = checked_audiences(named)
        except Invalid as problem:
            raise WorkloadRefused(Code.INVALID_ARGUMENT, "RequestUnreadable", str(problem)) from problem
        if wanted not in {"", workload.identity.uri}:
            raise WorkloadRefused(Code.PERMISSION_DENIED, "OtherIdentity", f"the caller is {workload.identity.uri}")
        found = await self._token(workload, audiences)
        return jwt_svid_response(workload.identity, found.text)

    async def bundle(self, workload: Workload) -> Answer:
        return jwt_bundles_response(await self._key_sets(workload.identity.trust_domain)), KEYS_SECONDS

    async def validation(self, request: bytes, workload: Workload) -> bytes:
        try:
            audience, text = validation_asked(request)
            key_sets = await self._key_sets(workload.identity.trust_domain)
            return validation_response(*validated(text, audience, key_sets, self._clock()))
        except Invalid as problem:
            raise WorkloadRefused(Code.INVALID_ARGUMENT, "NotValid", str(problem)) from problem

    async def _key_sets(self, own: TrustDomain) -> Mapping[TrustDomain, bytes]:
        """That verify the tokens of each trust domain: none of them another one's."""
        key_set, trust = await self._keys.now(), await self._trusted()
        foreign = {each.domain: each.key_set for each in trust.foreign if each.key_set}
        return foreign | dict.fromkeys((own, *trust.aliases), key_set)

    async def _token(self, workload: Workload, audiences: tuple[str, ...]) -> Token:
        held, now = self._held.setdefault(workload.uid, {}), self._clock()
        found = held.pop(audiences, None)
        if found is None or now >= found.due:
            found = await self._renewed(workload, audiences, found if found and now < found.until else None)
        held[audiences] = found
        while len(held) > MOST:
            del held[next(iter(held))]
        return found

    async def _renewed(self, workload: Workload, audiences: tuple[str, ...], former: Token | None) -> Token:
        """Another one; or *former* while there is none to be had."""
        try:
            self._check_rate(workload)
            return await self._authority.token(workload.identity, audiences)
        except WorkloadRefused:
            if former is None:
                raise
            return former

    def _check_rate(self, workload: Workload) -> None:
        if self._limits.wait(workload.uid, _now()):
            raise WorkloadRefused(Code.UNAVAILABLE, "PodTooOften", "too many tokens at once")


def _now() -> float:
    return asyncio.get_running_loop().time()
