"""Answers the approved CertificateSigningRequests of our signer. Shell; what to answer is `verdict`'s. The leader's.

An answer is written to the version that was looked at, and the API server lets nobody change a certificate that
stands: a request that a former leader has signed is not signed again.
"""

import asyncio
import random
from typing import Final, assert_never

import structlog

from ca.audit import facts
from ca.backlog import Backlog
from ca.csrs.metrics import Metrics
from ca.csrs.request import Approved, Requester, SigningRequest, Unreadable, failed, issued, signing_request
from ca.csrs.verdict import verdict
from ca.duty import ConfiguredDuty
from ca.issuing import issue
from ca.lookup import account_named, pod_named
from ca.request import Pod
from ca.surroundings import Surroundings
from ca.verdict import Deny, Sign
from kube.calls import Selection, Selectors
from kube.failures import Conflict, NotFound
from kube.index import Index
from kube.resources import CERTIFICATE_SIGNING_REQUESTS, Key
from kube.waiting import waited
from proa.doors import SigningRequests
from proa.errors import Invalid, ProaError
from proa.json import Json
from proa.mesh import MeshConfiguration
from proa.names import AUTHORITY, SIGNER

_OURS: Final = Selection(None, Selectors(field=f"spec.signerName={SIGNER}"))
_LIMIT: Final = 20.0
"""Seconds for one attempt."""
_LOG: Final = structlog.get_logger("ca.audit")


def signing_requests(around: Surroundings[Metrics]) -> ConfiguredDuty:
    """The leader's duty, while the configuration wants it."""

    def begin(mesh: MeshConfiguration) -> Keeping | None:
        return Keeping(around, mesh) if isinstance(mesh.authority.requests, SigningRequests) else None

    return ConfiguredDuty(around.configuration, around.material, begin, lambda: None)


class Keeping:
    """One time of being open, with one configuration."""

    def __init__(self, around: Surroundings[Metrics], mesh: MeshConfiguration) -> None:
        self._around, self._mesh = around, mesh
        self._backlog, self._news = Backlog(), asyncio.Event()
        self._index = Index[SigningRequest](around.client, CERTIFICATE_SIGNING_REQUESTS, _OURS, signing_request)
        self._index.subscribe(self._changed)

    def hasten(self) -> None:
        self._backlog.hasten(_now())
        self._news.set()

    async def service(self, closing: asyncio.Event) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._index.service(closing))
            while not closing.is_set():
                while not closing.is_set() and (key := self._backlog.take(_now())):
                    await self._answer(key)
                due = self._backlog.next_due
                await waited(closing, self._news, None if due is None else max(due - _now(), 0.0))

    def _changed(self, key: Key, request: SigningRequest | None) -> None:
        if isinstance(request, Approved):
            self._backlog.offer(key, _now())
            self._news.set()
        else:
            self._backlog.forget(key)
        if isinstance(request, Unreadable):
            _LOG.warning("not answered", door="requests", request=key.name, error=request.problem)

    async def _answer(self, key: Key) -> None:
        """What fails for a moment stays as it is, and is tried again."""
        request = self._index.get(*key)
        try:
            if isinstance(request, Approved):
                async with asyncio.timeout(_LIMIT):
                    await self._decide(request)
        except (Conflict, NotFound):
            # Changed or gone since: its next version comes by the watch, or none.
            self._around.metrics.decided("late", "Changed")
        except (ProaError, TimeoutError) as error:
            self._around.metrics.decided("error", getattr(error, "code", "timeout"))
            _LOG.warning("not answered", door="requests", request=key.name, error=str(error) or "timeout")
        except Exception:  # noqa: BLE001 - a request that no code foresaw must not keep the others from their answers
            self._around.metrics.decided("error", "bug")
            structlog.get_logger("ca").exception("not answered", request=key.name)
        else:
            self._backlog.forget(key)
            return
        self._backlog.retry(key, _now(), random.random())  # noqa: S311 - spreads retries

    async def _decide(self, request: Approved) -> None:
        decided = verdict(request, *await self._standing(request), self._mesh)
        match decided:
            case Sign():
                await self._sign(request, decided)
            case Deny(reason, message):
                await self._write(failed(request, reason, message, self._around.clock()))
                self._say("failed", request, reason, message=message)
            case _:
                assert_never(decided)

    async def _sign(self, request: Approved, sign: Sign) -> None:
        authority = self._around.material.authority
        if authority is None:
            raise Invalid("the issuer", "none", "one that is in force")
        chain = await issue(authority, sign)
        known = facts(chain, sign, authority.issuer.issuing)
        try:
            await self._write(issued(request, chain))
        except (Conflict, NotFound):
            raise
        except BaseException:
            # The API server may have taken it all the same: who looks for this serial number must find it.
            self._say("unconfirmed", request, "Signed", **known)
            raise
        self._say("issued", request, "Signed", **known)

    async def _write(self, status: Json) -> None:
        await self._around.client.patch_status(CERTIFICATE_SIGNING_REQUESTS, status, AUTHORITY)

    async def _standing(self, request: Approved) -> tuple[Pod | None, str | None]:
        if not isinstance(request.requester, Requester):
            return None, None
        asks, client = request.requester, self._around.client
        return await asyncio.gather(
            pod_named(client, asks.pod, asks.namespace), account_named(client, asks.account, asks.namespace)
        )

    def _say(self, outcome: str, request: Approved, reason: str, **more: str) -> None:
        self._around.metrics.decided(outcome, reason)
        who = {"request": request.name}
        if isinstance(request.requester, Requester):
            asks = request.requester
            who |= {
                "namespace": asks.namespace,
                "service_account": asks.account,
                "pod": asks.pod,
                "pod_uid": asks.pod_uid,
            }
        _LOG.info(outcome, door="requests", reason=reason, **who, **more)


def _now() -> float:
    return asyncio.get_running_loop().time()
