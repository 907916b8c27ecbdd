"""The X.509 profile of SPIFFE's Workload API (§5): a caller's own certificate, and whom to trust. Shell."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from ca.certificates import der
from ca.istio.verdict import Code
from ca.trusted.messages import Trust
from node.workload.attestation import Workload, WorkloadRefused
from node.workload.messages import Bundles, x509_bundles_response, x509_svid_response
from node.workload.roots import Roots
from node.workload.server import Answer
from node.workload.svids import Svids
from proa.identity import TrustDomain

TRUST: Final = timedelta(minutes=2)
"""After which it is asked again whom to believe beside the roots, as late as a kubelet brings a ConfigMap."""


@dataclass(frozen=True, slots=True)
class X509Profile:
    """*trusted* answers whom the mesh believes beside the roots, and CRLs."""

    svids: Svids
    roots: Roots
    trusted: Callable[[], Awaitable[Trust]]

    async def svid(self, workload: Workload) -> Answer:
        self._check_roots()
        trust = await self.trusted()
        found = await self.svids.of(workload)
        message = x509_svid_response(found, self._bundles(found.identity.trust_domain, trust), trust.crls)
        return message, min(self.svids.seconds(found), TRUST.total_seconds())

    async def bundle(self, workload: Workload) -> Answer:
        self._check_roots()
        trust = await self.trusted()
        bundles = self._bundles(workload.identity.trust_domain, trust)
        return x509_bundles_response(bundles, trust.crls), TRUST.total_seconds()

    def _bundles(self, own: TrustDomain, trust: Trust) -> Bundles:
        foreign = {each.domain: each.roots for each in trust.foreign}
        return foreign | dict.fromkeys((own, *trust.aliases), der(self.roots.certificates))

    def _check_roots(self) -> None:
        if not self.roots.certificates:
            raise WorkloadRefused(Code.UNAVAILABLE, "NoRoots", "the node does not know yet whom to trust")
