"""By which doors workloads are given certificates: the mesh configuration's section for the authority. Pure."""

from enum import StrEnum
from typing import Final, TypeAlias

from proa.errors import Invalid
from proa.injection import ServiceAccount
from proa.names import AUTHORITY_HOST, DISCOVERY_PORT, NODE_AGENT, NODE_NAMESPACE
from proa.sections import Section
from proa.upstreams import Audience, HttpsUrl, NoUpstream, Upstream, upstream_kind


class NoIstio(Section, frozen=True, tag_field="kind", tag="none"):
    """Nobody listens."""


class IstioGrpc(Section, frozen=True, tag_field="kind", tag="grpc"):
    """Istio's own clients, such as istio-agent and ztunnel, are given certificates by Istio's protocol."""

    audiences: tuple[Audience, ...] = ("istio-ca",)
    """For one of which a token has to be made."""
    trusted_node_accounts: tuple[ServiceAccount, ...] = ()
    """Proxies of a node, such as ztunnel, which may ask for the identity of any pod on their own node."""

    def __post_init__(self) -> None:
        if not self.audiences:
            raise Invalid("audiences", "none", "at least one: a token for anybody is a token from anybody")


IstioDoor: TypeAlias = NoIstio | IstioGrpc


class NoSecrets(Section, frozen=True, tag_field="kind", tag="none"):
    """No key leaves the authority's memory but its own."""


class AccountSecrets(Section, frozen=True, tag_field="kind", tag="service-accounts"):
    """A Secret with key and certificate for each service account of the namespaces that ask for it, as Citadel's."""


SecretsDoor: TypeAlias = NoSecrets | AccountSecrets


class SidecarRoots(StrEnum):
    """Where sidecars read whom to trust."""

    CLUSTER_TRUST_BUNDLE = "cluster-trust-bundle"
    CONFIG_MAP = "config-map"


class Revocation(StrEnum):
    """How sidecars learn of certificates that count no more before their end."""

    NONE = "none"
    CRL = "crl"


class NoRootsMaps(Section, frozen=True, tag_field="kind", tag="none"):
    """The ClusterTrustBundle is all there is."""


class RootsMaps(Section, frozen=True, tag_field="kind", tag="config-maps"):
    """A ConfigMap with the roots in each namespace that opted in, as Istio's `istio-ca-root-cert`."""

    sidecars: SidecarRoots = SidecarRoots.CLUSTER_TRUST_BUNDLE
    revocation: Revocation = Revocation.NONE


RootsDoor: TypeAlias = NoRootsMaps | RootsMaps


class NoRequests(Section, frozen=True, tag_field="kind", tag="none"):
    """Nobody looks at them."""


class SigningRequests(Section, frozen=True, tag_field="kind", tag="certificate-signing-requests"):
    """Pods that ask by Kubernetes' CertificateSigningRequests are given theirs, once somebody approved them."""


RequestsDoor: TypeAlias = NoRequests | SigningRequests


class NoWorkloadApi(Section, frozen=True, tag_field="kind", tag="none"):
    """Who wants a certificate without a sidecar mounts a `podCertificate` volume."""


class NoTokens(Section, frozen=True, tag_field="kind", tag="none"):
    """X.509-SVIDs alone."""


class JwtSvids(Section, frozen=True, tag_field="kind", tag="jwt-svids"):
    """Workloads are given JWT-SVIDs, too; their keys are told by OpenID Connect's discovery."""

    issuer: HttpsUrl = f"https://{AUTHORITY_HOST}:{DISCOVERY_PORT}"
    """The URL by which verifiers reach the authority's port for that. It stands in each token."""


Tokens: TypeAlias = NoTokens | JwtSvids


class WorkloadApiOfNodes(Section, frozen=True, tag_field="kind", tag="node-agent"):
    """Each node's agent answers SPIFFE's Workload API, and asks for its pods by Istio's protocol."""

    tokens: Tokens = NoTokens()


WorkloadApi: TypeAlias = NoWorkloadApi | WorkloadApiOfNodes

NODE_AGENT_ACCOUNT: Final = f"{NODE_NAMESPACE}/{NODE_AGENT}"


class Authority(Section, frozen=True):
    """By which doors workloads are given certificates and roots, beside PodCertificateRequests and the bundle; and who
    signs what it issues with."""

    istio: IstioDoor = NoIstio()
    secrets: SecretsDoor = NoSecrets()
    roots: RootsDoor = NoRootsMaps()
    requests: RequestsDoor = NoRequests()
    workload_api: WorkloadApi = NoWorkloadApi()
    upstream: Upstream = NoUpstream()

    def __post_init__(self) -> None:
        revoking = isinstance(self.roots, RootsMaps) and self.roots.revocation is Revocation.CRL
        if revoking and not isinstance(self.upstream, NoUpstream):
            # An issuer would come into force before pods have its CRL (docs/decisions/0047).
            raise Invalid("upstream.kind", upstream_kind(self.upstream), "none where roots.revocation is crl")
        if isinstance(self.workload_api, WorkloadApiOfNodes):
            self._check_agent()

    def _check_agent(self) -> None:
        """Said by the admin, and not implied: it is what lets one account ask for others' certificates."""
        match self.istio:
            case IstioGrpc(trusted_node_accounts=trusted) if NODE_AGENT_ACCOUNT in trusted:
                return
            case _:
                allowed = f"none, unless istio has kind grpc and {NODE_AGENT_ACCOUNT} among its trustedNodeAccounts"
                raise Invalid("workloadApi.kind", "node-agent", allowed)


def issuer(authority: Authority) -> str:
    """Of JWT-SVIDs; empty where there are none."""
    match authority.workload_api:
        case WorkloadApiOfNodes(tokens=JwtSvids(issuer=found)):
            return found
        case _:
            return ""
