"""Who signs the authority's issuers: that part of the mesh configuration. Pure."""

from typing import Annotated, Final, TypeAlias
from urllib.parse import urlsplit

from msgspec import Meta

from proa import dns
from proa.errors import Invalid, shown
from proa.names import AUTHORITY
from proa.sections import Section

Audience: TypeAlias = Annotated[
    str, Meta(pattern=r"^[!-~]{1,253}\Z", description="a token's audience: 1 to 253 printable characters, no space")
]

ObjectName: TypeAlias = Annotated[
    str, Meta(pattern=rf"^{dns.SUBDOMAIN}\Z", description="1 to 253 of a-z, 0-9, '-', '.'")
]
IssuerKind: TypeAlias = Annotated[
    str, Meta(pattern=r"^[A-Z][A-Za-z0-9]{0,62}\Z", description="a kind, such as Issuer or ClusterIssuer")
]


HttpsUrl: TypeAlias = Annotated[
    str,
    Meta(
        pattern=r"^https://[A-Za-z0-9.-]{1,253}(:[0-9]{1,5})?(/[A-Za-z0-9._~-]{1,64}){0,8}\Z",
        description="an https URL without a query, and without a slash at its end",
    ),
]
_SEGMENT: Final = r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}"
VaultPath: TypeAlias = Annotated[
    str,
    Meta(
        pattern=rf"^{_SEGMENT}(/{_SEGMENT}){{0,7}}\Z",
        description="a path of a-z, A-Z, 0-9, '-', '_', '.' and '/', such as pki or team/pki",
    ),
]
VaultNamespace: TypeAlias = Annotated[
    str, Meta(pattern=rf"^({_SEGMENT}(/{_SEGMENT}){{0,7}})?\Z", description="such a path, or nothing")
]
VaultName: TypeAlias = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9_]([A-Za-z0-9_.-]{0,126}[A-Za-z0-9_])?\Z",
        description="1 to 128 of a-z, A-Z, 0-9, '_', and '-' or '.' within",
    ),
]
_VAULT_CA: Final = "proa-vault-ca"


class NoUpstream(Section, frozen=True, tag_field="kind", tag="none"):
    """The authority's own root signs its issuers, or an admin does."""


class CertManager(Section, frozen=True, tag_field="kind", tag="cert-manager"):
    """cert-manager signs the authority's issuers, by an issuer of its own or of one of its many kinds."""

    issuer: ObjectName = AUTHORITY
    issuer_kind: IssuerKind = "Issuer"
    """Of the namespace `proa-system`; or ClusterIssuer, or what another controller has."""
    issuer_group: ObjectName = "cert-manager.io"


class SystemRoots(Section, frozen=True, tag_field="kind", tag="system"):
    """Those of the image: Proa's own has none."""


class ConfigMapRoots(Section, frozen=True, tag_field="kind", tag="config-map"):
    """`ca.crt` of a ConfigMap in `proa-system`."""

    name: ObjectName = _VAULT_CA


class SecretRoots(Section, frozen=True, tag_field="kind", tag="secret"):
    """`ca.crt` of a Secret in `proa-system`."""

    name: ObjectName = _VAULT_CA


ServerRoots: TypeAlias = SystemRoots | ConfigMapRoots | SecretRoots


class KubernetesAuth(Section, frozen=True):
    """Vault's auth method for ServiceAccounts: which *role* of which *mount* takes tokens for which *audience*."""

    mount: VaultPath = "kubernetes"
    role: VaultName = AUTHORITY
    audience: Audience = "vault"


class VaultPki(Section, frozen=True, tag_field="kind", tag="vault"):
    """The PKI engine of Vault signs the authority's issuers, by its own API."""

    server: HttpsUrl
    ca: ServerRoots = ConfigMapRoots()
    """What the server's certificate is verified by."""
    namespace: VaultNamespace = ""
    """Empty for the root's."""
    mount: VaultPath = "pki"
    issuer: VaultName = "default"
    """Its name or ID in that mount."""
    auth: KubernetesAuth = KubernetesAuth()
    lifetime_seconds: Annotated[int, Meta(ge=86_400, le=315_360_000)] = 7_776_000
    """Asked for: Vault cuts it to what the mount allows and the issuer has left."""

    def __post_init__(self) -> None:
        try:
            port = urlsplit(self.server).port
        except ValueError:
            port = 0
        if port == 0:
            raise Invalid("server", shown(self.server), "a port from 1 to 65535")

    @property
    def port(self) -> int:
        """Where it listens."""
        return urlsplit(self.server).port or 443


Upstream: TypeAlias = NoUpstream | CertManager | VaultPki


def upstream_kind(upstream: Upstream) -> str:
    """As the configuration calls it."""
    return str(type(upstream).__struct_config__.tag)
