"""What becomes of a PodCertificateRequest: sign, deny for good, or look again later. Pure.

A kubelet takes Denied and Failed as final for the pod's volume, even when it already holds a certificate (pod
certificate manager, Kubernetes 1.37). So only what no state of the cluster could ever make right is denied; all else
waits, and the kubelet asks anew once kube-controller-manager has removed the request, 15 minutes old.
"""

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, TypeAlias

from ca.certificates import PublicKey
from ca.csr import CsrRejected, Proof, checked_public_key, proven_public_key
from ca.profile import LONGEST_LEAF, LeafContents, ServingLeaf, WorkloadLeaf
from ca.request import Pending, Pod
from proa import dns
from proa.errors import Invalid
from proa.identity import TrustDomain, WorkloadIdentity
from proa.mesh import MeshConfiguration
from proa.names import SERVING_SIGNER, SIGNER, SYSTEM_NAMESPACE, WEBHOOK

SIGNERS: Final = (SIGNER, SERVING_SIGNER)
UNSUPPORTED_KEY: Final = "UnsupportedKeyType"
"""Kubernetes' own word for a key that the signer does not certify (k8s.io/api/certificates/v1)."""

_SERVERS: Final = re.compile(rf"(?={dns.LABEL}\Z)({WEBHOOK}(-{dns.LABEL})?|proa-discovery)")
"""Service accounts of our own servers. Each has a Service of its name, which is the name it is found by."""
FINISHED: Final = frozenset({"Succeeded", "Failed"})
"""Phases of pods that run no more."""


@dataclass(frozen=True, slots=True)
class Sign:
    """A certificate of these *contents* for *public_key*, whose holder asked; for *lifetime* from its notBefore on."""

    public_key: PublicKey
    contents: LeafContents
    lifetime: timedelta


@dataclass(frozen=True, slots=True)
class Deny:
    """Never. *reason* in CamelCase and *message* reach the pod's owner as an Event."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Later:
    """Not now; *reason* in CamelCase, for the metric and the log."""

    reason: str


Verdict: TypeAlias = Sign | Deny | Later


def verdict(
    request: Pending, pod: Pod | None, account_uid: str | None, configuration: MeshConfiguration | None
) -> Verdict:
    """The answer to *request*, beside which stand the pod and the service account of its names, where they exist."""
    match _checked_key(request):
        case Deny() | Later() as refused:
            return refused
        case public_key:
            return (
                _pod_verdict(request, pod)
                or _account_verdict(request, account_uid)
                or _granted(request, public_key, configuration)
            )


def _checked_key(request: Pending) -> PublicKey | Deny | Later:
    try:
        match request.csr:
            case Proof() as proof:
                return proven_public_key(proof, request.pod_uid)
            case b"":
                return Later("KeyNotShown")
            case csr:
                return checked_public_key(csr)
    except CsrRejected as problem:
        return rejection(problem)


def rejection(problem: CsrRejected) -> Deny:
    """Of a request that is not to be signed, whoever made it."""
    reason = UNSUPPORTED_KEY if problem.field.startswith("public key") else "RequestRejected"
    return Deny(reason, str(problem))


def _pod_verdict(request: Pending, pod: Pod | None) -> Verdict | None:
    """Node and service account of a pod do not change, so one that names others is not who asks."""
    if pod is None or pod.uid != request.pod_uid:
        return Later("PodGone")
    if pod.account != request.account:
        return Deny("ServiceAccountMismatch", f"the pod runs as {pod.account!r}, not as {request.account!r}")
    if not pod.node:
        return Later("PodNotScheduled")
    if pod.node != request.node:
        return Deny("NodeMismatch", f"the pod runs on {pod.node!r}, not on {request.node!r}")
    return Later("PodFinished") if pod.phase in FINISHED else None


def _account_verdict(request: Pending, account_uid: str | None) -> Verdict | None:
    """An account made anew under the same name is another one; the kubelet's next request will name it."""
    if account_uid is None:
        return Later("ServiceAccountGone")
    return Later("ServiceAccountReplaced") if account_uid != request.account_uid else None


def _granted(request: Pending, public_key: PublicKey, configuration: MeshConfiguration | None) -> Verdict:
    if configuration is None:
        return Later("NoConfiguration")
    lifetime = min(request.longest, timedelta(seconds=configuration.certificate.lifetime_seconds), LONGEST_LEAF)
    if request.signer not in SIGNERS:
        return Later("NotOurs")
    named = _server if request.signer == SERVING_SIGNER else _workload
    contents = named(request, TrustDomain(configuration.trust_domain))
    return contents if isinstance(contents, Deny) else Sign(public_key, contents, lifetime)


def _workload(request: Pending, trust_domain: TrustDomain) -> WorkloadLeaf | Deny:
    try:
        return WorkloadLeaf(WorkloadIdentity(trust_domain, request.namespace, request.account))
    except Invalid as problem:
        return Deny("IdentityImpossible", str(problem))


def _server(request: Pending, _: TrustDomain) -> ServingLeaf | Deny:
    if request.namespace != SYSTEM_NAMESPACE or not _SERVERS.fullmatch(request.account):
        message = f"found service account {request.namespace}/{request.account}, allowed: the servers of Proa itself"
        return Deny("NotAServer", message)
    service = f"{request.account}.{request.namespace}.svc"
    return ServingLeaf((service, f"{service}.cluster.local"))
