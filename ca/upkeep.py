"""What the leader does besides answering first: it renews the issuer, rotates the root, says what ends soon. Shell."""

import asyncio
import random
from datetime import timedelta

from ca.creation import renew
from ca.material import Material
from ca.metrics import Metrics
from ca.renewal import Renew, alarms, renewal
from ca.reports import Reports
from ca.rotating import LOOK, Rotating
from ca.storage import LiveMaterial
from ca.waiting import waited
from kube.client import Client
from kube.configuration import LiveConfiguration
from proa.clock import Clock
from proa.errors import ProaError
from proa.identity import TrustDomain
from proa.mesh import MeshConfiguration


class Upkeep:
    """Runs while this replica leads."""

    def __init__(
        self,
        client: Client,
        material: LiveMaterial,
        configuration: LiveConfiguration,
        clock: Clock,
        metrics: Metrics,
        reports: Reports,
    ) -> None:
        self._client, self._material, self._configuration = client, material, configuration
        self._clock, self._metrics, self._reports = clock, metrics, reports
        self._rotating = Rotating(client, clock, metrics, reports)
        self._news = asyncio.Event()
        material.subscribe(self.hasten)
        # Leaves that may live longer make the waits of a rotation longer: that is noted before anything else.
        configuration.subscribe(lambda _: self.hasten())

    def hasten(self) -> None:
        """Look at once: something changed."""
        self._news.set()

    async def service(self, stopping: asyncio.Event) -> None:
        try:
            while not stopping.is_set():
                if self._material.current is not None:
                    await self._look(self._material.current)
                spread = 0.9 + 0.2 * random.random()  # noqa: S311 - not for secrets
                pause = min(LOOK * spread, await self._rotated())
                await waited(stopping, self._news, max(pause.total_seconds(), 0.0))
        finally:
            # From now on these are the next leader's to tell.
            self._metrics.renewal_blocked(blocked=False)
            self._metrics.ends_soon(())
            self._metrics.rotation("")

    async def _rotated(self) -> timedelta:
        """How long to wait after what could be done for the root's rotation."""
        mesh = self._configuration.current
        if mesh is None or self._material.current is None:
            return LOOK
        return await self._rotating.look(mesh)

    async def _look(self, material: Material) -> None:
        """Renew what is due; what comes to its end all the same is told."""
        now, mesh = self._clock(), self._configuration.current
        if mesh and isinstance(renewal(now, material), Renew):
            renewed = await self._renew(mesh, material)
            self._metrics.renewal_blocked(blocked=not renewed)
            if renewed:
                return
        else:
            self._metrics.renewal_blocked(blocked=False)
        found = alarms(now, material)
        self._metrics.ends_soon(found)
        for alarm in found:
            self._reports.warn("EndsSoon", str(alarm))

    async def _renew(self, mesh: MeshConfiguration, material: Material) -> bool:
        try:
            domain = TrustDomain(mesh.trust_domain)
            renewed = await renew(self._client, domain, self._clock, mesh.certificate.issuer_key)
        except ProaError as error:
            end = material.issuer.issuing.validity.not_after
            self._reports.warn("RenewalFailed", f"the issuer, which ends at {end:%Y-%m-%dT%H:%M:%SZ}: {error}")
            return False
        self._reports.tell("Renewed", f"the next issuer is {renewed}")
        return True
