"""What becomes of a request by Istio's protocol: sign, or refuse with the gRPC code that its client goes by. Pure.

Istio's client asks again by itself after RESOURCE_EXHAUSTED, INTERNAL and UNAVAILABLE, and gives up after
UNAUTHENTICATED, PERMISSION_DENIED and INVALID_ARGUMENT. So what may come right by itself is never one of the latter:
a pod that our index has not seen yet, an API server that does not answer.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, Protocol, TypeAlias, assert_never

from ca.certificates import PublicKey
from ca.csr import CsrRejected, checked_public_key
from ca.istio.asked import Address, Asked, Caller, Certificate, PodToken
from ca.istio.population import LivePod
from ca.profile import SHORTEST_LEAF, WorkloadLeaf
from ca.verdict import Sign
from proa.doors import IstioGrpc
from proa.errors import Invalid, shown
from proa.identity import TrustDomain, WorkloadIdentity, known_as, parsed_identity
from proa.mesh import MeshConfiguration
from proa.names import SIGNER

LONGEST_BEHIND: Final = 300.0
"""Seconds for which a replica that has lost the API server goes on: a pod may be gone meanwhile, and the issuer former.
A rotation of the root waits for longer than that (`rotation.MARGIN`), and then counts on it."""


class Code(StrEnum):
    """Of gRPC, by its names (https://grpc.io/docs/guides/status-codes/)."""

    INVALID_ARGUMENT = "INVALID_ARGUMENT"
    PERMISSION_DENIED = "PERMISSION_DENIED"
    RESOURCE_EXHAUSTED = "RESOURCE_EXHAUSTED"
    DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED"
    INTERNAL = "INTERNAL"
    UNAVAILABLE = "UNAVAILABLE"
    UNIMPLEMENTED = "UNIMPLEMENTED"
    UNAUTHENTICATED = "UNAUTHENTICATED"


@dataclass(frozen=True, slots=True)
class Refuse:
    """No certificate. *reason* in CamelCase is for the metric and the log, *message* for them and for a caller who may
    know it; *after* is how many seconds the caller should wait, 0 for no word about it."""

    code: Code
    reason: str
    message: str = ""
    after: float = 0.0


Verdict: TypeAlias = Sign | Refuse


class Known(Protocol):
    """What we know of the cluster (`population`)."""

    @property
    def behind(self) -> Callable[[], float]: ...

    def pod(self, namespace: str, name: str) -> LivePod | None: ...

    def account_uid(self, namespace: str, name: str) -> str | None: ...

    def runs_at(self, address: Address, namespace: str, account: str) -> bool: ...

    def runs_on(self, node: str, namespace: str, account: str) -> bool: ...


def verdict(asked: Asked, caller: Caller, known: Known, mesh: MeshConfiguration, now: datetime) -> Verdict:
    """The answer to *asked* at *now*. The request itself comes last: to verify its signature costs most."""
    match proven_identity(asked, caller, known, mesh, now):
        case Refuse() as refused:
            return refused
        case identity:
            return _granted(asked, identity, mesh)


def proven_identity(
    asked: Asked, caller: Caller, known: Known, mesh: MeshConfiguration, now: datetime
) -> WorkloadIdentity | Refuse:
    """Whose *asked* is: the caller's own, or that of a pod of the caller's node which it may ask for."""
    door = mesh.authority.istio
    if not isinstance(door, IstioGrpc):
        return Refuse(Code.UNAVAILABLE, "DoorClosed")
    if known.behind() > LONGEST_BEHIND:
        return Refuse(Code.UNAVAILABLE, "ClusterNotFollowed", "this replica has lost the API server")
    if isinstance(caller, Certificate) and caller.not_after < now:
        # TLS looks at it in the handshake, and a connection lives on.
        return Refuse(Code.UNAUTHENTICATED, "CertificateExpired")
    return _identity(asked, caller, known, mesh)


def _identity(asked: Asked, caller: Caller, known: Known, mesh: MeshConfiguration) -> WorkloadIdentity | Refuse:
    match caller:
        case PodToken():
            pod = _live_pod(caller, known)
            if isinstance(pod, Refuse):
                return pod
            if asked.impersonated:
                return _impersonated(asked.impersonated, f"{caller.namespace}/{caller.account}", pod, known, mesh)
            return _named(mesh.own_domains[0], caller.namespace, caller.account)
        case Certificate():
            return _holder(asked, caller, known, mesh)
        case _:
            assert_never(caller)


def _live_pod(caller: PodToken, known: Known) -> LivePod | Refuse:
    """The pod of the token, as it is now: the review may be a minute old, and a pod may be gone since."""
    pod = known.pod(caller.namespace, caller.pod)
    if pod is None or pod.uid != caller.pod_uid:
        return Refuse(Code.UNAVAILABLE, "PodNotKnown")
    if pod.account != caller.account:
        return Refuse(Code.UNAUTHENTICATED, "ServiceAccountMismatch")
    if not pod.node or caller.node not in {"", pod.node}:
        return Refuse(Code.UNAUTHENTICATED, "NodeMismatch")
    if known.account_uid(caller.namespace, caller.account) != caller.account_uid:
        return Refuse(Code.UNAVAILABLE, "ServiceAccountNotKnown")
    return pod


def _holder(asked: Asked, caller: Certificate, known: Known, mesh: MeshConfiguration) -> WorkloadIdentity | Refuse:
    """A certificate names no pod: where its holder asks from tells which, and that it still runs."""
    identity = caller.identity
    if asked.impersonated:
        return Refuse(Code.PERMISSION_DENIED, "ImpersonationByCertificate", "to ask for others takes a token")
    if identity.trust_domain not in mesh.own_domains:
        return Refuse(Code.UNAUTHENTICATED, "ForeignTrustDomain")
    if known.account_uid(identity.namespace, identity.service_account) is None:
        return Refuse(Code.PERMISSION_DENIED, "ServiceAccountGone", "the service account is gone")
    here = caller.address is not None and known.runs_at(caller.address, identity.namespace, identity.service_account)
    if not here:
        return Refuse(Code.PERMISSION_DENIED, "NoLivePod", "no running pod of this identity has the caller's address")
    return known_as(identity, mesh.own_domains)[0]


def _impersonated(
    wanted: str, caller: str, pod: LivePod, known: Known, mesh: MeshConfiguration
) -> WorkloadIdentity | Refuse:
    """A proxy of a node asks for the pods of that node, and for no others."""
    door = mesh.authority.istio
    if not isinstance(door, IstioGrpc) or caller not in door.trusted_node_accounts:
        return Refuse(Code.PERMISSION_DENIED, "NotANodeProxy", f"{caller} may not ask for others")
    try:
        identity = parsed_identity(wanted)
    except Invalid as problem:
        return Refuse(Code.INVALID_ARGUMENT, "IdentityImpossible", str(problem))
    if identity.trust_domain not in mesh.own_domains:
        return Refuse(Code.PERMISSION_DENIED, "ForeignTrustDomain", f"not of the trust domain {mesh.trust_domain}")
    named = (identity.namespace, identity.service_account)
    if not known.runs_on(pod.node, *named) or known.account_uid(*named) is None:
        # Its pod may be newer than what we know.
        return Refuse(Code.UNAVAILABLE, "NotOnNode", "no running pod of this identity is known on the caller's node")
    return known_as(identity, mesh.own_domains)[0]


def _named(domain: TrustDomain, namespace: str, account: str) -> WorkloadIdentity | Refuse:
    try:
        return WorkloadIdentity(domain, namespace, account)
    except Invalid as problem:
        return Refuse(Code.PERMISSION_DENIED, "IdentityImpossible", str(problem))


def _granted(asked: Asked, identity: WorkloadIdentity, mesh: MeshConfiguration) -> Verdict:
    if asked.signer not in {"", SIGNER}:
        return Refuse(Code.INVALID_ARGUMENT, "OtherSigner", f"found {shown(asked.signer)}, allowed: {SIGNER} or none")
    lifetime = _lifetime(asked, mesh)
    if isinstance(lifetime, Refuse):
        return lifetime
    public_key = _checked_key(asked)
    if isinstance(public_key, Refuse):
        return public_key
    return Sign(public_key, WorkloadLeaf(identity), lifetime)


def _lifetime(asked: Asked, mesh: MeshConfiguration) -> timedelta | Refuse:
    """As asked, and no longer than the mesh's. Nobody is given a longer life than they asked for."""
    most = mesh.certificate.lifetime_seconds
    if asked.seconds <= 0:
        return timedelta(seconds=most)
    lifetime = timedelta(seconds=min(asked.seconds, most))
    if lifetime < SHORTEST_LEAF:
        return Refuse(Code.INVALID_ARGUMENT, "LifetimeRefused", f"found {lifetime}, allowed: {SHORTEST_LEAF} or more")
    return lifetime


def _checked_key(asked: Asked) -> PublicKey | Refuse:
    try:
        return checked_public_key(asked.csr)
    except CsrRejected as problem:
        return Refuse(Code.INVALID_ARGUMENT, "RequestRejected", str(problem))
