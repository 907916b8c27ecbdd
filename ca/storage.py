"""The Secret `proa-ca`: created by whoever comes first, followed by all; the last good content is in force. Shell."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import structlog

from ca.authority import CertificateAuthority
from ca.ceremony.asking import Ceremony
from ca.custody import Keeper, KeyUnavailable, nobody
from ca.issuing import PATIENCE, aside
from ca.key_uri import KeyElsewhere
from ca.material import Material
from ca.metrics import Metrics
from ca.reports import Reports
from ca.selftest import failure, self_test
from ca.stored import ISSUER_SECRET
from ca.succession import Adopt, Keep, Seen, seen, succession
from kube.backoff import delay
from kube.calls import Selection, Selectors
from kube.client import Client
from kube.configuration import LiveConfiguration
from kube.index import Index
from kube.resources import SECRETS, Key
from kube.until import until
from kube.waiting import waited
from proa.clock import Clock
from proa.errors import ProaError
from proa.identity import TrustDomain
from proa.json import Json
from proa.mesh import MeshConfiguration
from proa.names import SYSTEM_NAMESPACE
from proa.upstreams import NoUpstream, upstream_kind

_NAMED: Final = Selection(SYSTEM_NAMESPACE, Selectors(field=f"metadata.name={ISSUER_SECRET}"))
_PATIENT: Final = 3
"""From two seconds on (`kube.backoff`): each try at the first issuer is a process of its own."""
AGAIN: Final = 15.0
"""Seconds between two tests of what was not fit to issue with: time alone may have mended it."""
_LOG: Final = structlog.get_logger("ca")


@dataclass(frozen=True, slots=True)
class Issuing:
    """Who is asked for what needs the root's key, who keeps keys that lie elsewhere, and after how many seconds what
    was not fit is tested again."""

    ceremony: Ceremony
    keeper: Keeper = nobody
    again: float = AGAIN
    others: float = 5.0
    """Seconds that those who do not lead leave the leader to make the first issuer: each who tries is a process more,
    when everybody on the node begins."""


class LiveMaterial:
    """What to issue with now, and what is wrong with what somebody wanted instead."""

    def __init__(
        self,
        client: Client,
        configuration: LiveConfiguration,
        clock: Clock,
        metrics: Metrics,
        reports: Reports,
        issuing: Issuing,
    ) -> None:
        self._ceremony, self._keeper, self._again = issuing.ceremony, issuing.keeper, issuing.again
        self._kept, self._others, self._leads = asyncio.Event(), issuing.others, asyncio.Event()
        self._configuration, self._clock = configuration, clock
        self._metrics, self._reports, self._test = metrics, reports, self_test()
        self._index = Index[Seen](client, SECRETS, _NAMED, seen)
        self._index.subscribe(self._changed)
        self._subscribers: list[Callable[[], None]] = []
        self._news = asyncio.Event()
        self.authority: CertificateAuthority | None = None
        self.current: Material | None = None
        self.problem = f"the Secret {ISSUER_SECRET} is not read yet"
        self._untried: Seen | None = None
        """What was seen and waits for the token that has its key."""
        self._token_problem = ""

    def subscribe(self, changed: Callable[[], None]) -> None:
        """Call *changed* each time something else is in force."""
        self._subscribers.append(changed)

    @property
    def behind(self) -> float:
        """Seconds for which another issuer may have been there already (`Index.behind`)."""
        return self._index.behind

    @property
    def absent(self) -> bool:
        """Whether there is nothing to issue with, and no Secret that an admin may have to mend."""
        return self.current is None and self._index.synced.is_set() and self.newest is None

    @property
    def newest(self) -> Seen | None:
        """The Secret as it was seen last, in force or not."""
        return self._index.get(SYSTEM_NAMESPACE, ISSUER_SECRET)

    @property
    def unready(self) -> str:
        """Why no pod could be served now; empty where one could. It issues a certificate to find out; a token was
        asked for one a moment ago."""
        if self.authority is None:
            return self.problem
        if self._by_token:
            return self._token_problem
        return failure(self._test, self.authority, _trust_domain(self._configuration.current))

    async def service(self, stopping: asyncio.Event) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._index.service(stopping))
            group.create_task(self._create_what_lacks(stopping))
            group.create_task(self._reconsider(stopping))

    async def lead(self, stopping: asyncio.Event) -> None:
        """The leader's: make what lacks without waiting for others."""
        self._leads.set()
        await stopping.wait()

    async def _create_what_lacks(self, stopping: asyncio.Event) -> None:
        """Until there is something to issue with; what somebody deletes later is not made again."""
        await until(stopping, self._index.synced.wait())
        self._configuration.subscribe(lambda _: self._news.set())
        if self.newest is None:
            self.problem = f"the Secret {ISSUER_SECRET} is absent; it is being made"
            await waited(stopping, self._leads, self._others)
        tries = _PATIENT
        while self.current is None and not stopping.is_set():
            if self.newest is None:
                await until(stopping, self._create())
            await waited(stopping, self._news, delay(tries, random.random()))  # noqa: S311 - spreads replicas
            tries += 1

    async def _reconsider(self, stopping: asyncio.Event) -> None:
        """Adopt what was not fit once it is. An issuer that was made a moment ago is one of the future to a replica
        whose clock is behind, and nothing is written to the Secret when it has caught up. What takes a token is tried
        here alone, one after the other."""
        while not stopping.is_set():
            await waited(stopping, self._kept, self._again if self.problem or self._by_token else None)
            found = self.newest
            if found is not None and (self.problem or found is self._untried):
                await self._try(found)
            if self.authority is not None and self._by_token:
                self._token_problem = await self._tested(self.authority)

    @property
    def _by_token(self) -> bool:
        return self.authority is not None and isinstance(self.authority.issuer.key, KeyElsewhere)

    async def _try(self, found: Seen) -> None:
        first, fault = found is self._untried, ""
        if isinstance(found.content, Material):
            fault = await self._tested(self._authority(found.content))
        if self.newest is not found:
            # Changed meanwhile, and that one's turn has come or will.
            return
        self._untried = None
        self._follow(found, lambda _: fault, told=not first)
        if self.current is found.content:
            self._token_problem = fault

    async def _tested(self, authority: CertificateAuthority) -> str:
        domain = _trust_domain(self._configuration.current)
        try:
            return await aside(authority.issuer.key, lambda: failure(self._test, authority, domain), PATIENCE)
        except KeyUnavailable as problem:
            return str(problem)

    async def _create(self) -> None:
        mesh = self._configuration.current
        if mesh is None:
            self.problem = f"the Secret {ISSUER_SECRET} is absent; it is made once the configuration is known"
            return
        if not isinstance(mesh.authority.upstream, NoUpstream):
            asked = upstream_kind(mesh.authority.upstream)
            self.problem = f"the Secret {ISSUER_SECRET} is absent; the leader asks the upstream, {asked} (`upkeep`)"
            return
        try:
            await self._ceremony.create(mesh)
        except ProaError as error:
            self.problem = f"the Secret {ISSUER_SECRET} cannot be created: {error}"
            self._reports.warn("CreationFailed", self.problem)

    def _changed(self, _: Key, found: Seen | None) -> None:
        if found is not None and found.key_uri:
            # The event loop does not wait for a token.
            self._untried = found
            self._kept.set()
        else:
            self._untried = None
            self._follow(found, self._fault)

    def _follow(self, found: Seen | None, fault: Callable[[Material], str], *, told: bool = False) -> None:
        """*told*: what keeps *found* from being in force was said before."""
        about = None if found is None else found.about
        match succession(self.current, found, fault, self._clock()):
            case Adopt(material):
                self._adopt(material, about)
            case Keep(problem) if not told:
                self.problem = problem
                self._kept.set()
                self._metrics.unfit()
                self._reports.warn("Unfit", problem, about)
            case Keep():
                pass

    def _adopt(self, material: Material, about: Json) -> None:
        same = self.current is not None and (self.current, self.current.key_uri) == (material, material.key_uri)
        told = self.current is None or same
        if not same:
            _LOG.info("issuer in force", issuer=str(material))
        self.authority, self.current, self.problem = self._authority(material), material, ""
        self._metrics.material(material)
        if not told:
            self._reports.tell("InForce", f"issuing with {material}", about)
        for changed in self._subscribers:
            changed()
        self._news.set()

    def _authority(self, material: Material) -> CertificateAuthority:
        return CertificateAuthority(material.issuer, material.roots, self._clock, keeper=self._keeper)

    def _fault(self, material: Material) -> str:
        return failure(self._test, self._authority(material), _trust_domain(self._configuration.current))


def _trust_domain(mesh: MeshConfiguration | None) -> TrustDomain:
    return TrustDomain((mesh or MeshConfiguration()).trust_domain)
