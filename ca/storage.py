"""The Secret `proa-ca`: created by whoever comes first, followed by all; the last good content is in force. Shell."""

import asyncio
import random
from collections.abc import Callable
from typing import Final

import structlog

from ca.authority import CertificateAuthority
from ca.creation import create
from ca.material import Material
from ca.metrics import Metrics
from ca.reports import Reports
from ca.selftest import failure, self_test
from ca.stored import ISSUER_SECRET
from ca.succession import Adopt, Keep, Seen, seen, succession
from ca.waiting import waited
from kube.calls import Selection, Selectors
from kube.client import Client
from kube.configuration import LiveConfiguration
from kube.index import Index
from kube.resources import SECRETS, Key
from kube.until import until
from proa.clock import Clock
from proa.errors import ProaError
from proa.identity import TrustDomain
from proa.json import Json
from proa.mesh import MeshConfiguration
from proa.names import SYSTEM_NAMESPACE

_NAMED: Final = Selection(SYSTEM_NAMESPACE, Selectors(field=f"metadata.name={ISSUER_SECRET}"))
_PAUSE: Final = 2.0
AGAIN: Final = 15.0
"""Seconds between two tests of what was not fit to issue with: time alone may have mended it."""
_LOG: Final = structlog.get_logger("ca")


class LiveMaterial:
    """What to issue with now, and what is wrong with what somebody wanted instead."""

    def __init__(
        self,
        client: Client,
        configuration: LiveConfiguration,
        clock: Clock,
        metrics: Metrics,
        reports: Reports,
        again: float = AGAIN,
    ) -> None:
        self._again, self._kept = again, asyncio.Event()
        self._client, self._configuration, self._clock = client, configuration, clock
        self._metrics, self._reports, self._test = metrics, reports, self_test()
        self._index = Index[Seen](client, SECRETS, _NAMED, seen)
        self._index.subscribe(self._changed)
        self._subscribers: list[Callable[[], None]] = []
        self._news = asyncio.Event()
        self.authority: CertificateAuthority | None = None
        self.current: Material | None = None
        self.problem = f"the Secret {ISSUER_SECRET} is not read yet"

    def subscribe(self, changed: Callable[[], None]) -> None:
        """Call *changed* each time something else is in force."""
        self._subscribers.append(changed)

    @property
    def behind(self) -> float:
        """Seconds for which another issuer may have been there already (`Index.behind`)."""
        return self._index.behind

    @property
    def unready(self) -> str:
        """Why no pod could be served now; empty where one could. It issues a certificate to find out."""
        if self.authority is None:
            return self.problem
        return failure(self._test, self.authority, _trust_domain(self._configuration.current))

    async def service(self, stopping: asyncio.Event) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._index.service(stopping))
            group.create_task(self._create_what_lacks(stopping))
            group.create_task(self._reconsider(stopping))

    async def _create_what_lacks(self, stopping: asyncio.Event) -> None:
        """Until there is something to issue with; what somebody deletes later is not made again."""
        await until(stopping, self._index.synced.wait())
        self._configuration.subscribe(lambda _: self._news.set())
        while self.current is None and not stopping.is_set():
            if self._index.get(SYSTEM_NAMESPACE, ISSUER_SECRET) is None:
                await self._create()
            await waited(stopping, self._news, _PAUSE * (1 + random.random()))  # noqa: S311 - spreads replicas

    async def _reconsider(self, stopping: asyncio.Event) -> None:
        """Adopt what was not fit once it is. An issuer that was made a moment ago is one of the future to a replica
        whose clock is behind, and nothing is written to the Secret when it has caught up."""
        while not stopping.is_set():
            await waited(stopping, self._kept, self._again if self.problem else None)
            found = self._index.get(SYSTEM_NAMESPACE, ISSUER_SECRET)
            if self.problem and found is not None:
                match succession(self.current, found, self._fault, self._clock()):
                    case Adopt(material):
                        self._adopt(material, found.about)
                    case Keep():
                        pass

    async def _create(self) -> None:
        mesh = self._configuration.current
        if mesh is None:
            self.problem = f"the Secret {ISSUER_SECRET} is absent; it is made once the configuration is known"
            return
        try:
            await create(self._client, _trust_domain(mesh), self._clock, mesh.certificate.issuer_key)
        except ProaError as error:
            self.problem = f"the Secret {ISSUER_SECRET} cannot be created: {error}"
            self._reports.warn("CreationFailed", self.problem)

    def _changed(self, _: Key, found: Seen | None) -> None:
        about = None if found is None else found.about
        match succession(self.current, found, self._fault, self._clock()):
            case Adopt(material):
                self._adopt(material, about)
            case Keep(problem):
                self.problem = problem
                self._kept.set()
                self._metrics.unfit()
                self._reports.warn("Unfit", problem, about)

    def _adopt(self, material: Material, about: Json) -> None:
        told = self.current is None or self.current == material
        if self.current != material:
            _LOG.info("issuer in force", issuer=str(material))
        self.authority, self.current, self.problem = self._authority(material), material, ""
        self._metrics.material(material)
        if not told:
            self._reports.tell("InForce", f"issuing with {material}", about)
        for changed in self._subscribers:
            changed()
        self._news.set()

    def _authority(self, material: Material) -> CertificateAuthority:
        return CertificateAuthority(material.issuer, material.roots, self._clock)

    def _fault(self, material: Material) -> str:
        return failure(self._test, self._authority(material), _trust_domain(self._configuration.current))


def _trust_domain(mesh: MeshConfiguration | None) -> TrustDomain:
    return TrustDomain((mesh or MeshConfiguration()).trust_domain)
