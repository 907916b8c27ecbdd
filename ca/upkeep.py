"""What the leader does besides answering first: it renews the issuer, rotates the root, says what ends soon. Shell."""

import asyncio
import random
from datetime import timedelta
from typing import Final

from ca.ceremony.asking import Ceremony
from ca.certmanager import asking as certmanager
from ca.material import Material
from ca.metrics import Metrics
from ca.phases import Resting, name_of
from ca.renewal import Renew, alarms, pause_after, renewal
from ca.revocation.renewing import renew_covered
from ca.rotation import LOOK, SOON, at_rest
from ca.surroundings import Surroundings
from ca.vault import asking as vault
from ca.vault.failures import VaultUnavailable
from kube.until import until
from kube.waiting import waited
from proa.errors import ProaError
from proa.mesh import MeshConfiguration
from proa.rootsmap import revokes
from proa.upstreams import CertManager, NoUpstream, VaultPki

_ASKED: Final = timedelta(seconds=10)
"""Between two looks at whether the upstream has answered: some have people approve."""
_REST: Final = timedelta(days=1)
"""Between two ceremonies while no rotation is under way: they look for keys that were left."""
_BREATH: Final = timedelta(minutes=1)
"""Before the first of a leader's, who may have just begun, with everybody else on the node."""


class Upkeep:
    """Runs while this replica leads."""

    def __init__(self, around: Surroundings[Metrics], ceremony: Ceremony) -> None:
        self._client, self._material, self._configuration = around.client, around.material, around.configuration
        self._clock, self._metrics, self._reports = around.clock, around.metrics, around.reports
        self._ceremony, self._rests = ceremony, around.clock()
        """Until when no ceremony is held for the root's rotation while that is at rest."""
        self._news, self._failures = asyncio.Event(), 0
        self._stopping = asyncio.Event()
        """Whoever leads no more, or ends, does not wait for a ceremony: whatever it wrote is carried on from."""
        self._material.subscribe(self.hasten)
        # Leaves that may live longer make the waits of a rotation longer: that is noted before anything else.
        self._configuration.subscribe(lambda _: self.hasten())

    def hasten(self) -> None:
        """Look at once: something changed."""
        self._news.set()

    async def service(self, stopping: asyncio.Event) -> None:
        self._stopping, self._rests = stopping, self._clock() + _BREATH
        try:
            while not stopping.is_set():
                # What follows reads all that there is: news is what changes meanwhile.
                self._news.clear()
                due = await self._tended()
                spread = 0.9 + 0.2 * random.random()  # noqa: S311 - not for secrets
                pause = min(due * spread, await self._rotated())
                await waited(stopping, self._news, max(pause.total_seconds(), 0.0))
        finally:
            # From now on these are the next leader's to tell.
            self._metrics.renewal_blocked(blocked=False)
            self._metrics.ends_soon(())
            self._metrics.rotation("")

    async def _rotated(self) -> timedelta:
        """How long to wait after what could be done for the root's rotation."""
        mesh, now, seen = self._configuration.current, self._clock(), self._material.newest
        if mesh is None or seen is None or self._material.current is None:
            return LOOK
        self._metrics.rotation(name_of(seen.record.phase))
        life = timedelta(seconds=mesh.certificate.lifetime_seconds)
        if now >= self._rests or not at_rest(seen.record, seen.wish, self._material.current.root, life, now):
            pause = await until(self._stopping, self._rotate(mesh))
            self._rests = now + (pause or SOON)
        return self._rests - self._clock()

    async def _rotate(self, mesh: MeshConfiguration) -> timedelta:
        """How long the rotation may rest then."""
        try:
            looked = await self._ceremony.rotate(mesh)
        except ProaError as error:
            self._reports.warn("RotationFailed", str(error))
            return SOON
        for told in looked.told:
            self._reports.say(told)
        if looked.phase:
            self._metrics.rotation(looked.phase)
        return min(looked.pause, _REST if looked.phase == name_of(Resting) else LOOK)

    async def _tended(self) -> timedelta:
        """How long to wait after what could be done for the issuer."""
        mesh, material = self._configuration.current, self._material.current
        if material is None:
            return LOOK if mesh is None else await self._first(mesh)
        return await self._look(mesh, material)

    async def _first(self, mesh: MeshConfiguration) -> timedelta:
        """Without an upstream, whichever replica comes first makes it (`storage`)."""
        if isinstance(mesh.authority.upstream, NoUpstream):
            return LOOK
        renewed = await self._renewed(mesh, "the first issuer") if self._material.absent else None
        return renewed or _ASKED

    async def _look(self, mesh: MeshConfiguration | None, material: Material) -> timedelta:
        """Renew what is due; what comes to its end all the same is told."""
        pause, now = LOOK, self._clock()
        if mesh and isinstance(renewal(now, material), Renew):
            end = material.issuer.issuing.validity.not_after
            renewed = await self._renewed(mesh, f"the issuer, which ends at {end:%Y-%m-%dT%H:%M:%SZ}")
            if renewed is None:
                return LOOK
            pause = renewed
        else:
            self._metrics.renewal_blocked(blocked=False)
        found = alarms(now, material)
        self._metrics.ends_soon(found)
        for alarm in found:
            self._reports.warn("EndsSoon", str(alarm))
        return pause

    async def _renewed(self, mesh: MeshConfiguration, what: str) -> timedelta | None:
        """None once the next issuer is in force; else when to look again."""
        try:
            renewed = await self._next(mesh)
        except ProaError as error:
            self._reports.warn("RenewalFailed", f"{what}: {error}")
            self._metrics.renewal_blocked(blocked=True)
            return self._again(error)
        self._metrics.renewal_blocked(blocked=False)
        self._failures = 0
        if renewed is None:
            return _ASKED
        self._reports.tell("Renewed", f"the next issuer is {renewed}")
        return None

    def _again(self, error: ProaError) -> timedelta:
        """When to ask anew: soon where time alone may mend it, and while there is nothing to issue with."""
        self._failures += 1
        match error:
            case VaultUnavailable(retry_after=asked):
                return pause_after(self._failures, asked)
            case _ if self._material.current is None:
                return pause_after(self._failures)
            case _:
                return LOOK

    async def _next(self, mesh: MeshConfiguration) -> Material | str | None:
        """The next issuer, or its name; None while the upstream has not answered, and at the end. Raises ProaError."""
        match mesh.authority.upstream:
            case CertManager() as upstream:
                return await certmanager.ask(self._client, mesh, upstream, self._clock)
            case VaultPki() as upstream:
                return await vault.ask(self._client, mesh, upstream, self._clock)
            case NoUpstream() if revokes(mesh):
                return await renew_covered(self._client, mesh, self._clock)
            case NoUpstream():
                return await until(self._stopping, self._ceremony.renew(mesh))
