"""What becomes of an approved CertificateSigningRequest: sign, or fail it for good. Pure.

Whoever approved it has said that it may be signed; for whom is not theirs to say. It is the pod that asked, which is
there, and nobody else.
"""

from datetime import timedelta
from typing import Final

from ca.csr import CsrRejected, checked_public_key
from ca.csrs.request import Approved, Requester
from ca.profile import LONGEST_LEAF, SHORTEST_LEAF, WorkloadLeaf
from ca.request import Pod
from ca.verdict import FINISHED, Deny, Sign, rejection
from proa.errors import Invalid
from proa.identity import TrustDomain, WorkloadIdentity
from proa.mesh import MeshConfiguration

_USAGES: Final = frozenset({"digital signature", "server auth", "client auth"})
"""Of a workload's leaf."""
_TOLERATED: Final = frozenset({"key encipherment"})
"""Istio's agents ask for it; no key of TLS 1.3 needs it, and none of ours is given it."""


def verdict(
    request: Approved, pod: Pod | None, account_uid: str | None, configuration: MeshConfiguration
) -> Sign | Deny:
    """*pod* and *account_uid* are what stands under the names of its requester, where there is anything."""
    if isinstance(request.requester, Invalid):
        return Deny("RequesterNotAPod", str(request.requester))
    requester = request.requester
    problem = _of_requester(requester, pod, account_uid) or _of_wishes(request)
    if problem:
        return problem
    try:
        identity = WorkloadIdentity(TrustDomain(configuration.trust_domain), requester.namespace, requester.account)
        key = checked_public_key(request.csr)
    except CsrRejected as refused:
        return rejection(refused)
    except Invalid as refused:
        return Deny("IdentityImpossible", str(refused))
    most = min(timedelta(seconds=configuration.certificate.lifetime_seconds), LONGEST_LEAF)
    return Sign(key, WorkloadLeaf(identity), min(request.seconds or most, most))


def _of_requester(requester: Requester, pod: Pod | None, account_uid: str | None) -> Deny | None:
    """What is gone does not come back under its UID."""
    if pod is None or pod.uid != requester.pod_uid:
        return Deny("PodGone", f"no pod {requester.namespace}/{requester.pod} of UID {requester.pod_uid}")
    if pod.account != requester.account:
        return Deny("ServiceAccountMismatch", f"the pod runs as {pod.account!r}, not as {requester.account!r}")
    if pod.phase in FINISHED:
        return Deny("PodFinished", f"the pod has {pod.phase.lower()}")
    if account_uid != requester.account_uid:
        return Deny("ServiceAccountGone", f"no service account {requester.account} of UID {requester.account_uid}")
    return None


def _of_wishes(request: Approved) -> Deny | None:
    if not _USAGES <= request.usages <= _USAGES | _TOLERATED:
        found, allowed = (", ".join(sorted(each)) for each in (request.usages, _USAGES))
        return Deny("UsagesNotOurs", f"found {found or 'none'}, allowed: {allowed}")
    if request.seconds is not None and request.seconds < SHORTEST_LEAF:
        return Deny("LifetimeTooShort", f"found {request.seconds}, allowed: {SHORTEST_LEAF} or more")
    return None
