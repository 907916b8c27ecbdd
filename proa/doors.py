"""By which doors workloads are given certificates: the mesh configuration's section for the authority. Pure."""

from typing import Annotated, TypeAlias

from msgspec import Meta

from proa.errors import Invalid
from proa.injection import ServiceAccount
from proa.sections import Section

Audience: TypeAlias = Annotated[
    str, Meta(pattern=r"^[!-~]{1,253}\Z", description="a token's audience: 1 to 253 printable characters, no space")
]


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


class Authority(Section, frozen=True):
    """By which doors workloads are given certificates, beside PodCertificateRequests."""

    istio: IstioDoor = NoIstio()
    secrets: SecretsDoor = NoSecrets()
