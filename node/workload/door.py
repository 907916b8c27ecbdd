"""The Workload API as a service of the agent: open where the environment says so and the kernel is able to. Shell.

It never makes the agent unready: pods, the authority's own among them, do not start where the agent is.
"""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from ca.istio.verdict import Code
from ca.trusted.messages import Trust
from node.pods import Pod
from node.population import Population
from node.settings import WorkloadApi
from node.workload.attestation import Workload, WorkloadRefused, workload
from node.workload.calling import is_known_to_the_kernel
from node.workload.issuing import Authority
from node.workload.jwt_profile import JwtProfile
from node.workload.kept import Ages, Kept
from node.workload.messages import (
    FETCH_JWT_BUNDLES,
    FETCH_JWT_SVID,
    FETCH_X509_BUNDLES,
    FETCH_X509_SVID,
    VALIDATE_JWT_SVID,
)
from node.workload.metrics import Metrics
from node.workload.relay import Relay, make_room
from node.workload.roots import Roots
from node.workload.server import Api, Attests, served
from node.workload.shares import TurnAway
from node.workload.svids import Svids
from node.workload.x509_profile import TRUST, X509Profile
from proa.clock import Clock

_LOG: Final = structlog.get_logger("node")


@dataclass(frozen=True, slots=True)
class WorkloadDoor:
    """*directory* is root's, for what the pods must not see."""

    told: WorkloadApi
    directory: Path
    population: Population
    metrics: Metrics
    clock: Clock

    async def service(self, stopping: asyncio.Event) -> None:
        self.metrics.opened(is_open=False)
        if not is_known_to_the_kernel():
            _LOG.error("the Workload API stays closed: this kernel has no SO_PEERPIDFD, which takes Linux 6.5")
            await stopping.wait()
            return
        try:
            await self._open(stopping)
        except* OSError as errors:
            _LOG.error("the Workload API is closed", error=str(errors.exceptions[0]))
            self.metrics.opened(is_open=False)
        await stopping.wait()

    async def _open(self, stopping: asyncio.Event) -> None:
        make_room()
        roots = Roots(Path(self.told.roots))
        relay = Relay(Path(self.told.socket), self.directory, self.metrics)
        server = self._api(roots, lambda peer: self._attested(relay, peer)).server(relay.server)
        async with asyncio.TaskGroup() as group:
            for part in (roots.service, relay.service):
                group.create_task(part(stopping))
            group.create_task(served(server, stopping))
            self.metrics.opened(is_open=True)

    def _api(self, roots: Roots, attests: Attests) -> Api:
        authority = Authority(self.told.authority, Path(self.told.token), roots)
        trusted = Kept(authority.trust, self.clock, Ages(TRUST), Trust()).now
        svids = Svids(authority.svid, lambda: roots.certificates, self.clock, self.metrics)
        x509, tokens = X509Profile(svids, roots, trusted), JwtProfile(authority, trusted, self.clock)
        self.population.index.subscribe(lambda _, __: self._keep(svids, tokens))
        return Api(
            attests,
            {FETCH_X509_SVID: x509.svid, FETCH_X509_BUNDLES: x509.bundle, FETCH_JWT_BUNDLES: tokens.bundle},
            {FETCH_JWT_SVID: tokens.svids, VALIDATE_JWT_SVID: tokens.validation},
            lambda: roots.changed,
            self.metrics,
        )

    def _keep(self, *held: Svids | JwtProfile) -> None:
        uids = [pod.uid for pod in self.population.index.values()]
        for each in held:
            each.keep(uids)

    def _attested(self, relay: Relay, peer: str) -> Workload:
        caller = relay.caller(peer)
        if caller is None:
            raise WorkloadRefused(Code.PERMISSION_DENIED, "NoConnection", "the caller's connection is gone")
        if isinstance(caller, TurnAway):
            raise WorkloadRefused(Code.RESOURCE_EXHAUSTED, caller.reason, str(caller))
        pods: tuple[Pod, ...] = self.population.index.values()
        return workload(caller.groups(), pods, self.told.trust_domain)
