"""Runs a service in one process of several: the one that holds the Lease. Shell; who may take it is `leases`'.

Why not `kubernetes.aio.leaderelection`: docs/decisions/0007.
"""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import structlog

from kube import leases
from kube.client import Client
from kube.failures import AlreadyExists, ApiRefused, Conflict, NotFound, Unreachable
from kube.leases import TERMS, Candidate, Sight, Terms
from kube.resources import LEASES, Object
from kube.until import cancelled, until
from proa.clock import Clock, system_clock
from proa.running import Service

_RELEASE_SECONDS: Final = 3.0


def led(
    client: Client, lease_name: str, namespace: str, identity: str, service: Service, terms: Terms = TERMS
) -> Service:
    """*service*, only while this process holds the Lease *lease_name* of *namespace*.

    When it is told to stop, *service* is; the Lease is renewed until it has, and then released. When the Lease is lost
    *service* is told to stop, and cancelled if it has not when another may lead; then this process follows again, and
    *service* may be run a second time. If *service* ends by itself, so does this, with what it raised.
    """
    return Election(client, Candidate(namespace, lease_name, identity), terms).led(service)


@dataclass(frozen=True, slots=True)
class _Held:
    """The Lease with our name on it, and when the write that put or renewed it there was begun."""

    lease: Object
    since: float


class Election:
    """One candidate's part in it. *clock* tells what is written for people, never what is decided."""

    def __init__(
        self,
        client: Client,
        candidate: Candidate,
        terms: Terms = TERMS,
        clock: Clock = system_clock,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._client, self._candidate, self._terms = client, candidate, terms
        self._clock, self._chance = clock, chance
        self._seen: Sight | None = None
        self._held: _Held | None = None
        self._complaint = ""
        self._log = structlog.get_logger("leader").bind(lease=candidate.lease, identity=candidate.identity)

    @property
    def leading(self) -> bool:
        return self._held is not None

    def led(self, service: Service) -> Service:
        async def serve(stopping: asyncio.Event) -> None:
            while (won := await self._won(stopping)) is not None:
                if await self._lead(service, stopping, won):
                    return

        return serve

    async def _won(self, stopping: asyncio.Event) -> _Held | None:
        """Try until the Lease is ours. None if told to stop before.

        A try is not cut short by that: the Lease would be ours, and nobody would know.
        """
        loop = asyncio.get_running_loop()
        while not stopping.is_set():
            begun = loop.time()
            lease = await self._tried()
            if lease is not None:
                self._log.info("leading")
                self._held = _Held(lease, begun)
                return self._held
            await until(stopping, self._pause())
        return None

    async def _tried(self) -> Object | None:
        try:
            async with asyncio.timeout(self._terms.deadline):
                held = await self._bid()
        except (Unreachable, ApiRefused, TimeoutError) as error:
            self._complain("cannot ask for the lease", error)
            return None
        self._complaint = ""
        return held

    async def _bid(self) -> Object | None:
        """The Lease with our name on it; None while it is another's."""
        try:
            found = await self._client.get(LEASES, self._candidate.lease, self._candidate.namespace)
        except NotFound:
            return await self._written(None)
        now = asyncio.get_running_loop().time()
        self._seen = leases.sight(self._seen, found, now)
        return await self._written(found) if leases.open_to(self._candidate, self._seen, now) else None

    async def _written(self, found: Object | None) -> Object | None:
        claim = leases.claim(found, self._candidate, self._terms, self._clock())
        try:
            return await (self._client.replace if found else self._client.create)(LEASES, claim)
        except (AlreadyExists, Conflict, NotFound):
            return None

    async def _lead(self, service: Service, stopping: asyncio.Event, won: _Held) -> bool:
        """Run *service* for as long as we lead. Whether that was all: False if the Lease was lost."""
        ending = asyncio.Event()
        serving = asyncio.ensure_future(service(ending))
        keeping = asyncio.ensure_future(self._kept(won))
        asked = asyncio.ensure_future(stopping.wait())
        try:
            await asyncio.wait({serving, keeping, asked}, return_when=asyncio.FIRST_COMPLETED)
            ended = serving.done()
            ending.set()
            # What is led drains while the Lease is renewed; once that is lost, only until another may lead.
            await asyncio.wait({serving, keeping}, return_when=asyncio.FIRST_COMPLETED)
            if not serving.done():
                await self._drained(serving, keeping.result())
        finally:
            lost = keeping.done()
            await cancelled(serving, keeping, asked)
            await self._let_go(lost=lost)
        for done in (serving, keeping):
            if not done.cancelled():
                done.result()
        return ended or not lost

    async def _drained(self, serving: "asyncio.Future[None]", until_when: float) -> None:
        # Some seconds after the deadline; none for a process that was itself stopped for longer.
        left = until_when - asyncio.get_running_loop().time()
        _, late = await asyncio.wait({serving}, timeout=max(left, 0.0))
        if late:
            self._log.error("did not stop in time: cancelled")

    async def _kept(self, held: _Held) -> float:
        """Renew the Lease until it is another's, or could not be renewed in time. Until when nobody else may lead."""
        try:
            while True:
                async with asyncio.timeout_at(held.since + self._terms.deadline):
                    await self._pause()
                    renewed = await self._renewal(held.lease)
                if renewed is None:
                    self._log.warning("the lease is another's")
                    return asyncio.get_running_loop().time()
                held = self._held = renewed
        except TimeoutError:
            self._log.warning("could not renew the lease in time")
            return held.since + self._terms.duration

    async def _renewal(self, lease: Object) -> _Held | None:
        """None if the Lease is another's."""
        while True:
            begun = asyncio.get_running_loop().time()
            try:
                held = await self._written(lease) or await self._bid()
            except (Unreachable, ApiRefused) as error:
                self._complain("cannot renew the lease", error)
                await self._pause()
            else:
                self._complaint = ""
                return _Held(held, begun) if held is not None else None

    async def _let_go(self, *, lost: bool) -> None:
        """Release the Lease, if it is ours. That cannot fail: otherwise it runs out by itself."""
        held, self._held, self._seen = self._held, None, None
        if held is None or lost:
            return
        try:
            async with asyncio.timeout(_RELEASE_SECONDS):
                await self._release(held.lease)
            self._log.info("released")
        except (Unreachable, ApiRefused, TimeoutError) as error:
            self._log.warning("could not release the lease", error=str(error))

    async def _release(self, lease: Object) -> None:
        try:
            await self._client.replace(LEASES, leases.release(lease, self._clock()))
        except Conflict:
            # A renewal that was cut short may have been taken; or somebody wrote a label.
            found = await self._client.get(LEASES, self._candidate.lease, self._candidate.namespace)
            if leases.holder(found.get("spec")) == self._candidate.identity:
                await self._client.replace(LEASES, leases.release(found, self._clock()))

    def _complain(self, what: str, error: Exception) -> None:
        """Say it once, not at each of the tries of an outage."""
        if str(error) != self._complaint:
            self._log.warning(what, error=str(error))
        self._complaint = str(error)

    async def _pause(self) -> None:
        await asyncio.sleep(self._terms.pause * (1 + self._chance() / 5))
