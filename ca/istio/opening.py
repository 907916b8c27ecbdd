"""The door while it is open: what it knows of the cluster, and its server. Shell."""

import asyncio
from typing import Any, Final

import structlog

from ca.istio.door import Addresses, Surroundings
from ca.istio.issuance import Issuance
from ca.istio.population import LivePod, Population, live_pod
from ca.istio.quota import Quota, Rates
from ca.istio.reviews import Reviews
from ca.istio.server import Server
from ca.istio.serving import Credential, credential
from ca.istio.verdict import LONGEST_BEHIND
from ca.request import account_uid
from ca.waiting import waited
from kube.calls import Selection, Selectors
from kube.index import Index
from kube.resources import PODS, SERVICE_ACCOUNTS
from kube.until import until
from proa.errors import Invalid, ProaError

_ALIVE: Final = Selection(None, Selectors(field="status.phase!=Succeeded,status.phase!=Failed"))
_AGAIN: Final = 5.0
_LOG: Final = structlog.get_logger("ca")


class Opening:
    """One time of being open, at *addresses*. *issuers* is set each time there is another issuer."""

    def __init__(self, around: Surroundings, addresses: Addresses, rates: Rates, issuers: asyncio.Event) -> None:
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
        self.bound: tuple[int, ...] = ()
        """The ports, once it serves."""

    @property
    def unready(self) -> str:
        for name, index in (("pods", self._pods), ("service accounts", self._accounts)):
            if not index.synced.is_set():
                return f"the door of Istio's protocol has not read the {name} yet{_because(index)}"
        if self._behind() > LONGEST_BEHIND:
            return f"the door of Istio's protocol has lost the cluster{_because(self._pods)}"
        return "" if self.bound else f"the door of Istio's protocol is not open yet{self._problem}"

    def _behind(self) -> float:
        return max(self._pods.behind, self._accounts.behind, self._around.material.behind)

    async def service(self, closing: asyncio.Event) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._pods.service(closing))
            group.create_task(self._accounts.service(closing))
            group.create_task(self._serve(closing))

    async def _serve(self, closing: asyncio.Event) -> None:
        """Not before all is read: a pod that is only not known yet would be told to come again."""
        for index in (self._pods, self._accounts):
            await until(closing, index.synced.wait())
        server = await self._opened(closing)
        if server is None:
            return
        self.bound = server.bound
        _LOG.info("door of Istio's protocol open", ports=list(self.bound))
        await closing.wait()
        await server.close()

    async def _opened(self, closing: asyncio.Event) -> Server | None:
        """None if *closing* came before there was a certificate to show."""
        while not closing.is_set():
            if self._around.material.authority is None:
                await waited(closing, self._issuers)
                continue
            server = Server(self._issuance.answer, self._credential, self._addresses)
            try:
                await server.open()
            except ProaError as error:
                self._problem = f": {error}"
                _LOG.warning("door of Istio's protocol not open", error=str(error), code=error.code)
                await waited(closing, self._issuers, _AGAIN)
            else:
                return server
        return None

    def _credential(self) -> Credential:
        authority = self._around.material.authority
        if authority is None:
            raise Invalid("the issuer", "none", "one to sign the door's own certificate")
        self._shown = credential(authority, self._around.clock, self._shown)
        return self._shown


def _because(index: Index[Any]) -> str:
    return f": {index.problem}" if index.problem else ""
