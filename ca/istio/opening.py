"""The door while it is open: what it knows of the cluster, and its server. Shell."""

import asyncio
from typing import Any, Final

import structlog

from ca.authority import CertificateAuthority
from ca.issuing import PATIENCE, aside
from ca.istio.door import Addresses
from ca.istio.issuance import Issuance
from ca.istio.messages import METHOD, SERVICE
from ca.istio.metrics import Metrics
from ca.istio.population import LivePod, Population, live_pod
from ca.istio.quota import Quota, Rates
from ca.istio.reviews import Reviews
from ca.istio.server import Answers, Server
from ca.istio.serving import Credential, credential
from ca.istio.verdict import LONGEST_BEHIND
from ca.jwt import messages
from ca.jwt.opening import JwtOpening
from ca.request import account_uid
from ca.surroundings import Surroundings
from ca.trusted import messages as trusted
from ca.trusted.opening import TrustOpening
from kube.calls import Selection, Selectors
from kube.index import Index
from kube.resources import PODS, SERVICE_ACCOUNTS
from kube.until import until
from kube.waiting import waited
from proa.doors import WorkloadApiOfNodes, issuer
from proa.errors import Invalid, ProaError
from proa.mesh import MeshConfiguration

_ALIVE: Final = Selection(None, Selectors(field="status.phase!=Succeeded,status.phase!=Failed"))
_AGAIN: Final = 5.0
_LOOK: Final = 60.0
"""Seconds between two looks at whether what is shown is due: that is hours before its end."""
_LOG: Final = structlog.get_logger("ca")


class Opening:
    """One time of being open, at *addresses*. *issuers* is set each time there is another issuer."""

    def __init__(
        self, around: Surroundings[Metrics], addresses: Addresses, rates: Rates, issuers: asyncio.Event
    ) -> None:
        self._around, self._addresses, self._issuers = around, addresses, issuers
        self._population = Population(self._behind)
        self._pods = Index[LivePod](around.client, PODS, _ALIVE, live_pod)
        self._accounts = Index[str](around.client, SERVICE_ACCOUNTS, Selection(), account_uid)
        self._pods.subscribe(self._population.pod_changed)
        self._accounts.subscribe(self._population.account_changed)
        self._shown: Credential | None = None
        self._problem = ""
        reviews, quota = Reviews(around.client, around.clock), Quota(rates)
        self._issuance = Issuance(
            around.material, around.configuration, reviews, self._population, quota, around.metrics
        )
        mesh = around.configuration.current
        self._tokens = self._jwt() if mesh and issuer(mesh.authority) else None
        self._trust = TrustOpening(around.client, self._issuance, mesh) if mesh and _asked_by_nodes(mesh) else None
        self.bound: tuple[int, ...] = ()
        """The ports, once it serves."""

    @property
    def unready(self) -> str:
        for name, index in (("pods", self._pods), ("service accounts", self._accounts)):
            if not index.synced.is_set():
                return f"the door of Istio's protocol has not read the {name} yet{_because(index)}"
        if self._behind() > LONGEST_BEHIND:
            return f"the door of Istio's protocol has lost the cluster{_because(self._pods)}"
        if self._tokens and self._tokens.unready:
            return self._tokens.unready
        return "" if self.bound else f"the door of Istio's protocol is not open yet{self._problem}"

    def _behind(self) -> float:
        tokens = self._tokens.behind if self._tokens else 0.0
        return max(self._pods.behind, self._accounts.behind, self._around.material.behind, tokens)

    async def service(self, closing: asyncio.Event) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._pods.service(closing))
            group.create_task(self._accounts.service(closing))
            group.create_task(self._serve(closing))
            for each in (self._tokens, self._trust):
                if each is not None:
                    group.create_task(each.follow(closing))

    async def _serve(self, closing: asyncio.Event) -> None:
        """Not before all is read: a pod that is only not known yet would be told to come again."""
        for index in (self._pods, self._accounts):
            await until(closing, index.synced.wait())
        server = await self._opened(closing)
        if server is None:
            return
        self.bound = server.bound
        _LOG.info("door of Istio's protocol open", ports=list(self.bound))
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keep_shown(closing))
            group.create_task(_closed(server, closing))
            if self._tokens:
                group.create_task(self._tokens.discovery.service(closing))

    async def _keep_shown(self, closing: asyncio.Event) -> None:
        while not closing.is_set():
            await waited(closing, self._issuers, _LOOK)
            await self._freshened()

    async def _freshened(self) -> None:
        """What is shown is made here and not where a handshake asks for it: a token that hangs would keep the
        library's threads, and with them the calls of others."""
        authority = self._around.material.authority
        try:
            if authority is not None:
                await self._show(authority)
        except ProaError as error:
            _LOG.warning("no certificate for the door of Istio's protocol", error=str(error), code=error.code)

    async def _opened(self, closing: asyncio.Event) -> Server | None:
        """None if *closing* came before there was a certificate to show."""
        while not closing.is_set():
            authority = self._around.material.authority
            if authority is None:
                await waited(closing, self._issuers)
                continue
            server = Server(self._answers(), self._credential, self._addresses)
            try:
                await self._show(authority)
                await server.open()
            except ProaError as error:
                self._problem = f": {error}"
                _LOG.warning("door of Istio's protocol not open", error=str(error), code=error.code)
                await waited(closing, self._issuers, _AGAIN)
            else:
                return server
        return None

    def _answers(self) -> Answers:
        answers: Answers = {SERVICE: {METHOD: self._issuance.answer}}
        if self._trust:
            answers = {**answers, trusted.SERVICE: {trusted.TELL: self._trust.telling.tell}}
        if self._tokens:
            issuance = self._tokens.issuance
            answers = {**answers, messages.SERVICE: {messages.CREATE: issuance.create, messages.KEYS: issuance.told}}
        return answers

    def _jwt(self) -> JwtOpening:
        around, port = self._around, self._addresses.discovery
        return JwtOpening(around.client, around.clock, self._issuance, self._credential, port)

    @property
    def discovery(self) -> int:
        """The port at which verifiers are answered, 0 while there is none."""
        return self._tokens.discovery.bound if self._tokens else 0

    async def _show(self, authority: CertificateAuthority) -> None:
        await aside(authority.issuer.key, lambda: self._made(authority), PATIENCE)

    def _made(self, authority: CertificateAuthority) -> None:
        self._shown = credential(authority, self._around.clock, self._shown)

    def _credential(self) -> Credential:
        if self._shown is None:
            raise Invalid("the issuer", "none", "one to sign the door's own certificate")
        return self._shown


async def _closed(server: Server, closing: asyncio.Event) -> None:
    """At once: a verifier or a token that takes its time must not use up the grace of all."""
    await closing.wait()
    await server.close()


def _asked_by_nodes(mesh: MeshConfiguration) -> bool:
    return isinstance(mesh.authority.workload_api, WorkloadApiOfNodes)


def _because(index: Index[Any]) -> str:
    return f": {index.problem}" if index.problem else ""
