"""Keeps a Secret for each service account of the namespaces that asked for it. Shell; which are due, is `plan`'s.

The leader's. It looks at a namespace when something in it changed, and every few minutes; what the Secrets hold is
asked for each time and kept nowhere, so that no key lies in memory for longer than that takes.
"""

import asyncio
import random
from collections import defaultdict
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any, Final

import structlog

from ca.accounts.metrics import Metrics
from ca.accounts.plan import Make, Renew, State, Step, Tell, asks, secrets_due
from ca.accounts.secret import NAMINGS, OURS, Account, changed_secret, credential, kept, new_secret, trust
from ca.audit import facts
from ca.authority import CertificateAuthority
from ca.backlog import Backlog
from ca.issuing import issue
from ca.profile import WorkloadLeaf
from ca.randomness import new_key
from ca.request import account_uid
from ca.surroundings import Surroundings
from ca.verdict import Sign
from kube.calls import Selection
from kube.failures import AlreadyExists, ApiRefused, Conflict, Forbidden, NotFound
from kube.index import Index
from kube.resources import NAMESPACES, SECRETS, SERVICE_ACCOUNTS, Key, Object
from kube.until import until
from kube.waiting import waited
from proa.errors import ProaError
from proa.identity import TrustDomain, WorkloadIdentity
from proa.json import Json
from proa.mesh import MeshConfiguration
from proa.names import AUTHORITY, SYSTEM_NAMESPACE

LOOK: Final = 300.0
"""Seconds between two looks at a namespace: a Secret that somebody deletes is back by then."""
AT_ONCE: Final = 8
_LOG: Final = structlog.get_logger("ca.audit")


class Keeping:
    """One time of being open, with one configuration."""

    def __init__(self, around: Surroundings[Metrics], mesh: MeshConfiguration) -> None:
        self._around, self._mesh = around, mesh
        self._backlog, self._news = Backlog(), asyncio.Event()
        self._accounts: defaultdict[str, dict[str, str]] = defaultdict(dict)
        self._failing: set[str] = set()
        self._room = asyncio.Semaphore(AT_ONCE)
        self._seen = Index[str](around.client, SERVICE_ACCOUNTS, Selection(), account_uid)
        self._namespaces = Index[bool](around.client, NAMESPACES, Selection(), self._asks)
        self._seen.subscribe(self._account_changed)
        self._namespaces.subscribe(self._namespace_changed)

    def hasten(self) -> None:
        """Look at every namespace again: the issuer or the roots are others."""
        for key, wanted in self._namespaces.items():
            if wanted:
                self._backlog.offer(key, _now())
        self._backlog.hasten(_now())
        self._news.set()

    async def service(self, closing: asyncio.Event) -> None:
        async with asyncio.TaskGroup() as group:
            for index in (self._seen, self._namespaces):
                group.create_task(index.service(closing))
            group.create_task(self._work(closing))

    async def _work(self, closing: asyncio.Event) -> None:
        # An account that is not known yet is no account that is gone, but a namespace is better looked at once.
        for index in (self._seen, self._namespaces):
            await until(closing, index.synced.wait())
        while not closing.is_set():
            while not closing.is_set() and (key := self._backlog.take(_now())):
                await self._look(key)
            due = self._backlog.next_due
            await waited(closing, self._news, None if due is None else max(due - _now(), 0.0))

    async def _look(self, key: Key) -> None:
        """Do what is due in a namespace; a failure is told, and tried again later."""
        chance = random.random()  # noqa: S311 - spreads looks
        try:
            await self._tend(key.name)
        except Exception as error:  # noqa: BLE001 - a Secret that no code foresaw must not keep the others from theirs
            self._failing.add(key.name)
            self._tell(key.name, error)
            self._backlog.retry(key, _now(), chance)
        else:
            self._failing.discard(key.name)
            # What changed while it was looked at, was not seen by that look.
            later = 0.0 if key in self._backlog else LOOK * (0.9 + 0.2 * chance)
            self._backlog.forget(key)
            self._backlog.offer(key, _now() + later)
        self._around.metrics.failing(len(self._failing))

    def _tell(self, namespace: str, error: Exception) -> None:
        if isinstance(error, ProaError):
            self._around.reports.warn("SecretsNotKept", _words(namespace, error))
        else:
            structlog.get_logger("ca").error("secrets not kept", namespace=namespace, exc_info=error)

    async def _tend(self, namespace: str) -> None:
        authority = self._around.material.authority
        if authority is None or not self._namespaces.get("", namespace):
            return
        found = await self._around.client.list(SECRETS, namespace, OURS)
        accounts = tuple(Account(name, uid) for name, uid in sorted(self._accounts.get(namespace, {}).items()))
        domain, vocabulary = TrustDomain(self._mesh.trust_domain), self._mesh.vocabulary
        state = State(namespace, accounts, tuple(map(kept, found)), domain, vocabulary, authority.roots)
        steps = secrets_due(state, self._around.clock())
        done = await asyncio.gather(*(self._do(step, namespace, authority) for step in steps), return_exceptions=True)
        for failure in filter(None, done):
            raise failure

    async def _do(self, step: Step, namespace: str, authority: CertificateAuthority) -> None:
        async with self._room:
            try:
                await self._written(step, namespace, authority)
            except (Conflict, NotFound):
                # Changed or gone since it was listed: the next look sees it as it is.
                self._around.metrics.done("Late", type(step).__name__)

    async def _written(self, step: Step, namespace: str, authority: CertificateAuthority) -> None:
        naming, client = NAMINGS[self._mesh.vocabulary], self._around.client
        key = Key(namespace, naming.secret(step.account.name))
        match step:
            case Make(account, identity):
                data, known = await self._issued(identity, authority)
                writing = client.create(SECRETS, new_secret(namespace, account, naming, data))
                await self._said(step, key, "Missing", known, writing)
            case Renew(account, identity, version, reason):
                data, known = await self._issued(identity, authority)
                writing = client.merge(SECRETS, key, changed_secret(account, version, data), AUTHORITY)
                await self._said(step, key, reason, known, writing)
            case Tell(account, version):
                patch = changed_secret(account, version, trust(authority.trust_bundle))
                await client.merge(SECRETS, key, patch, AUTHORITY)
                self._around.metrics.done("Tell", "RootsChanged")

    async def _issued(self, identity: WorkloadIdentity, authority: CertificateAuthority) -> tuple[Json, dict[str, str]]:
        key, lifetime = new_key(), timedelta(seconds=self._mesh.certificate.lifetime_seconds)
        sign = Sign(key.public_key(), WorkloadLeaf(identity), lifetime)
        chain = await issue(authority, sign)
        return credential(key, chain, authority.trust_bundle), facts(chain, sign, authority.issuer.issuing)

    async def _said(
        self, step: Step, key: Key, reason: str, known: dict[str, str], writing: Coroutine[Any, Any, Object]
    ) -> None:
        """Write, and say so: every certificate that may exist stands in the audit log."""
        who = {"namespace": key.namespace, "service_account": step.account.name, "secret": key.name}
        try:
            await writing
        except ApiRefused:
            raise
        except BaseException:
            # The API server may have taken it all the same.
            _LOG.info("unconfirmed", door="secrets", reason=reason, **who, **known)
            raise
        self._around.metrics.done(type(step).__name__, reason)
        _LOG.info("issued", door="secrets", reason=reason, **who, **known)

    def _asks(self, namespace: Json) -> bool:
        return asks(namespace, self._mesh.vocabulary)

    def _account_changed(self, key: Key, uid: str | None) -> None:
        if uid is None:
            self._accounts[key.namespace].pop(key.name, None)
            if not self._accounts[key.namespace]:
                # Namespaces come and go.
                del self._accounts[key.namespace]
            return
        self._accounts[key.namespace][key.name] = uid
        self._soon(Key("", key.namespace))

    def _namespace_changed(self, key: Key, wanted: bool | None) -> None:  # noqa: FBT001 - an index's value
        if wanted:
            self._soon(key)
        else:
            self._backlog.forget(key)
            self._failing.discard(key.name)

    def _soon(self, key: Key) -> None:
        if self._namespaces.get("", key.name):
            self._backlog.offer(key, _now())
            self._news.set()


def _words(namespace: str, error: ProaError) -> str:
    """What an admin has to mend."""
    match error:
        case Forbidden():
            remedy = (
                f"kubectl create rolebinding {AUTHORITY}-secrets --namespace={namespace} "
                f"--clusterrole={AUTHORITY}-secrets --serviceaccount={SYSTEM_NAMESPACE}:{AUTHORITY}"
            )
            return f"namespace {namespace} asks for Secrets that may not be kept there: {remedy}"
        case AlreadyExists():
            return (
                f"namespace {namespace} has a Secret by that name which is not ours: delete it, or rename it: {error}"
            )
        case _:
            return f"namespace {namespace}: {error}"


def _now() -> float:
    return asyncio.get_running_loop().time()
