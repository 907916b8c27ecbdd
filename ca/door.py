"""The door for pods: watches PodCertificateRequests and writes their answers. Shell; what to answer is `verdict`'s.

Any replica may answer, as an answer is final and the second one is refused by the API server. The leader answers at
once; the others take what has been waiting for some seconds, so that no election stands in a pod's way.
"""

import asyncio
import random
from typing import Final

import structlog

from ca.answering import Answering, Done, Retry
from ca.backlog import Backlog
from ca.metrics import Metrics
from ca.request import Answered, Pending, Request, Unreadable, certificate_request
from ca.verdict import SIGNERS
from kube.calls import Selection, Selectors
from kube.client import Client
from kube.failures import NotFound
from kube.index import Index
from kube.resources import POD_CERTIFICATE_REQUESTS, Key
from kube.waiting import waited
from proa.errors import ProaError

AT_ONCE: Final = 24
"""Answers under way at the same time: enough to keep a core busy while each waits for the API server."""
PATIENCE: Final = 3.0
"""Seconds that a replica leaves to the leader, and half as much again at most."""
SERVED: Final = 50_000
"""Pods that are known to have a certificate; of more the oldest count as new, and are none the worse for it."""
_SWEEP: Final = 30.0
_LIMIT: Final = 20.0
"""Seconds for one attempt."""


class Door:
    """Two watches, one backlog, some answers under way."""

    def __init__(self, client: Client, answering: Answering, metrics: Metrics, patience: float = PATIENCE) -> None:
        self._answering, self._metrics, self._patience = answering, metrics, patience
        self._backlog, self._news = Backlog(), asyncio.Event()
        self._seen: dict[Key, float] = {}
        self._under_way: set[Key] = set()
        self._served: dict[str, None] = {}
        self._leading = False
        self._indexes = {signer: _requests(client, signer) for signer in SIGNERS}
        for index in self._indexes.values():
            index.subscribe(self._changed)

    @property
    def unready(self) -> str:
        """Empty, too, where the API server serves no such requests: the other doors have their callers."""
        waiting = [signer for signer, index in self._indexes.items() if not (index.synced.is_set() or _absent(index))]
        return f"the requests for {' and '.join(waiting)} are not read yet" if waiting else ""

    async def lead(self, stopping: asyncio.Event) -> None:
        """Answer without waiting for others, until *stopping*."""
        self._leading = True
        self._metrics.leading(leads=True)
        self.hasten()
        try:
            await stopping.wait()
        finally:
            self._leading = False
            self._metrics.leading(leads=False)

    def hasten(self) -> None:
        """Look at everything again at once: something came right that requests waited for."""
        self._backlog.hasten(_now())
        self._news.set()

    async def service(self, stopping: asyncio.Event) -> None:
        async with asyncio.TaskGroup() as group:
            for index in self._indexes.values():
                group.create_task(index.service(stopping))
            group.create_task(self._sweep(stopping))
            group.create_task(self._work(stopping))

    async def _work(self, stopping: asyncio.Event) -> None:
        """Take what is due; what is under way when the end comes is finished."""
        async with asyncio.TaskGroup() as group:
            while not stopping.is_set():
                while len(self._under_way) < AT_ONCE and (key := self._backlog.take(_now())):
                    self._under_way.add(key)
                    group.create_task(self._answer(key))
                self._metrics.pending(len(self._backlog) + len(self._under_way))
                due = self._backlog.next_due if len(self._under_way) < AT_ONCE else None
                await waited(stopping, self._news, None if due is None else max(due - _now(), 0.0))

    async def _sweep(self, stopping: asyncio.Event) -> None:
        """What found no room in the backlog is offered again."""
        never = asyncio.Event()
        while not stopping.is_set():
            for index in self._indexes.values():
                for request in index.values():
                    if isinstance(request, Pending):
                        self._offer(request)
            await waited(stopping, never, _SWEEP)

    def _changed(self, key: Key, request: Request | None) -> None:
        match request:
            case Pending():
                self._offer(request)
            case Answered(issued):
                self._remember(issued)
                self._forget(key)
            case None:
                self._forget(key)
            case Unreadable(problem):
                self._metrics.decided("unknown", "error", "unreadable")
                _LOG.warning("not answered", request=str(key), error=problem)

    def _offer(self, request: Pending) -> None:
        key = Key(request.namespace, request.name)
        if key in self._under_way or key in self._backlog:
            return
        seen = self._seen.setdefault(key, _now())
        patience = 0.0 if self._leading else self._patience * (1 + random.random() / 2)  # noqa: S311 - spreads replicas
        # Who starts waits for its certificate; who renews has hours.
        if self._backlog.offer(key, seen + patience, patient=request.pod_uid in self._served):
            self._news.set()

    def _remember(self, pod_uid: str) -> None:
        if pod_uid:
            self._served.pop(pod_uid, None)
            self._served[pod_uid] = None
            if len(self._served) > SERVED:
                del self._served[next(iter(self._served))]

    def _forget(self, key: Key) -> None:
        self._backlog.forget(key)
        self._seen.pop(key, None)

    def _pending(self, key: Key) -> Pending | None:
        found = (index.get(*key) for index in self._indexes.values())
        return next((request for request in found if isinstance(request, Pending)), None)

    async def _answer(self, key: Key) -> None:
        outcome: Done | Retry = Done()
        try:
            if request := self._pending(key):
                outcome = await self._outcome(request, _now() - self._seen.get(key, _now()))
        finally:
            self._under_way.discard(key)
            if isinstance(outcome, Done):
                self._forget(key)
            else:
                self._retry(key)
            self._news.set()

    def _retry(self, key: Key) -> None:
        request = self._pending(key)
        patient = request is not None and request.pod_uid in self._served
        self._backlog.retry(key, _now(), random.random(), patient=patient)  # noqa: S311 - spreads retries

    async def _outcome(self, request: Pending, waited_seconds: float) -> Done | Retry:
        try:
            async with asyncio.timeout(_LIMIT):
                return await self._answering.answer(request, waited_seconds)
        except (ProaError, TimeoutError) as error:
            self._metrics.decided(request.signer, "error", getattr(error, "code", "timeout"))
            _LOG.warning("not answered", request=f"{request.namespace}/{request.name}", error=str(error) or "timeout")
        except Exception:  # noqa: BLE001 - a request that no code foresaw must not keep the others from their answers
            self._metrics.decided(request.signer, "error", "bug")
            _LOG.exception("not answered", request=f"{request.namespace}/{request.name}")
        return Retry()


_LOG: Final = structlog.get_logger("ca")


def _requests(client: Client, signer: str) -> Index[Request]:
    selection = Selection(None, Selectors(field=f"spec.signerName={signer}"))
    return Index[Request](client, POD_CERTIFICATE_REQUESTS, selection, certificate_request)


def _absent(index: Index[Request]) -> bool:
    return isinstance(index.problem, NotFound)


def _now() -> float:
    return asyncio.get_running_loop().time()
