"""One answer to one PodCertificateRequest: looks up what it speaks of, decides, signs, writes, says so. Shell."""

import asyncio
import random
from contextlib import suppress
from dataclasses import dataclass
from time import perf_counter
from typing import Final, assert_never

import structlog

from ca.answer import denied, issued
from ca.audit import facts
from ca.issuing import issue
from ca.lookup import account_named, pod_named
from ca.metrics import Metrics
from ca.request import Answered, Pending, certificate_request
from ca.storage import LiveMaterial
from ca.verdict import Deny, Later, Sign, verdict
from kube.client import Client
from kube.configuration import LiveConfiguration
from kube.failures import ApiRefused, Conflict, NotFound
from kube.resources import OLDER_POD_CERTIFICATE_REQUESTS, POD_CERTIFICATE_REQUESTS
from proa.clock import Clock
from proa.json import Json
from proa.names import AUTHORITY

_UNPROCESSABLE: Final = 422
_LOG: Final = structlog.get_logger("ca.audit")


@dataclass(frozen=True, slots=True)
class Done:
    """The request has its answer, ours or another replica's, or is gone."""


@dataclass(frozen=True, slots=True)
class Retry:
    """Look at it again later."""


@dataclass(frozen=True, slots=True)
class Answering:
    client: Client
    material: LiveMaterial
    configuration: LiveConfiguration
    clock: Clock
    metrics: Metrics

    async def answer(self, request: Pending, waited: float) -> Done | Retry:
        """*waited* is for how long this replica knows of *request*, in seconds. Raises ProaError."""
        since = perf_counter() - waited
        request = await self._whole(request)
        found = await asyncio.gather(
            pod_named(self.client, request.pod, request.namespace),
            account_named(self.client, request.account, request.namespace),
        )
        decided = verdict(request, *found, self.configuration.current)
        match decided:
            case Sign():
                return await self._sign(request, decided, since)
            case Deny(reason, message):
                if await self._written(request, denied(request, decided, self.clock())):
                    self._say("denied", request, reason=reason, message=message)
                return Done()
            case Later(reason):
                self._say("later", request, reason=reason)
                return Retry()
            case _:
                assert_never(decided)

    async def _whole(self, request: Pending) -> Pending:
        """A kubelet older than 1.36 has sent its key in fields that v1 does not show."""
        if not request.csr:
            with suppress(NotFound):
                shown = await self.client.get(OLDER_POD_CERTIFICATE_REQUESTS, request.name, request.namespace)
                found = certificate_request(shown)
                if isinstance(found, Pending) and found.uid == request.uid:
                    return found
        return request

    async def _sign(self, request: Pending, sign: Sign, since: float) -> Done | Retry:
        authority = self.material.authority
        if authority is None:
            self._say("later", request, reason="NoIssuer")
            return Retry()
        chain = await issue(authority, sign)
        jitter = random.random()  # noqa: S311 - spreads renewals
        known = facts(chain, sign, authority.issuer.issuing)
        try:
            written = await self._written(request, issued(request, chain, self.clock(), jitter))
        except BaseException:
            # The API server may have taken it all the same: who looks for this serial number must find it.
            self._say("unconfirmed", request, reason="Signed", **known)
            raise
        if written:
            seconds = perf_counter() - since
            self.metrics.issued(request.signer, seconds)
            self._say("issued", request, reason="Signed", seconds=round(seconds, 4), **known)
        return Done()

    async def _written(self, request: Pending, status: Json) -> bool:
        """Whether it was us who answered; what the API server refuses may have been answered by another replica."""
        try:
            await self.client.patch_status(POD_CERTIFICATE_REQUESTS, status, AUTHORITY)
        except NotFound:
            self._say("late", request, reason="RequestGone")
            return False
        except ApiRefused as error:
            if not (isinstance(error, Conflict) or error.status == _UNPROCESSABLE) or not await self._over(request):
                raise
            self._say("late", request, reason="AnsweredByAnother")
            return False
        return True

    async def _over(self, request: Pending) -> bool:
        try:
            shown = await self.client.get(POD_CERTIFICATE_REQUESTS, request.name, request.namespace)
        except NotFound:
            return True
        now = certificate_request(shown)
        return isinstance(now, Answered) or (isinstance(now, Pending) and now.uid != request.uid)

    def _say(self, outcome: str, request: Pending, reason: str, **facts: object) -> None:
        """One line of audit for each decision, and its count. Nothing here is secret."""
        self.metrics.decided(request.signer, outcome, reason)
        log = _LOG.debug if outcome == "late" else _LOG.info
        log(outcome, reason=reason, **_who(request), **facts)


def _who(request: Pending) -> dict[str, str]:
    return {
        "signer": request.signer,
        "namespace": request.namespace,
        "request": request.name,
        "pod": request.pod,
        "pod_uid": request.pod_uid,
        "service_account": request.account,
        "node": request.node,
    }
