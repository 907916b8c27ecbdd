"""The mesh's configuration: one YAML document, read into one frozen value that cannot be wrong. Pure.

Every field has a default, so an empty document is a mesh. Keys are camelCase, as everywhere in Kubernetes.
A document with several mistakes is refused with all of them at once (see `mesh_configuration`).
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Final, TypeAlias

from msgspec import Meta

from proa import dns, names
from proa.containers import Init, Proxy
from proa.documents import plain, read
from proa.doors import Authority, WorkloadApiOfNodes
from proa.errors import Invalid, Problems, shown
from proa.federation import Federation, Name, NoFederation, check_federable, own_domains
from proa.identity import TRUST_DOMAIN_PATTERN, TrustDomain
from proa.injection import Injection, Namespace
from proa.json import Json
from proa.partial import BUILT_IN, PartialPod, TemplateName
from proa.programming import ByNode, ByPod, Programming
from proa.sections import Section, section

_SUBJECT: Final = "the mesh configuration"
LARGEST: Final = 1_048_576
"""Characters of a document: what a ConfigMap may hold (Kubernetes: 1 MiB)."""
_SHORTEST_CERTIFICATE: Final = 3600
_LONGEST_CERTIFICATE: Final = 7862400

# Patterns end in \Z, as `$` matches before a last newline too.
ConfigMapName: TypeAlias = Annotated[
    str,
    Meta(
        pattern=rf"^{dns.SUBDOMAIN}\Z",
        description="a ConfigMap's name: 1 to 253 of a-z, 0-9, '-', '.'",
    ),
]

# What it looks like is checked where a section is made; a schema that others read must say it, too.
Domain: TypeAlias = Annotated[str, Meta(extra_json_schema={"pattern": rf"^{TRUST_DOMAIN_PATTERN}\Z"})]


class PeerTls(StrEnum):
    """What an inbound listener takes."""

    PERMISSIVE = "permissive"
    """mTLS from sidecars, plaintext from everybody else: the state in which a namespace can be moved pod by pod."""
    STRICT = "strict"
    """Nothing but mTLS from the trust domain."""


class Vocabulary(StrEnum):
    """Whose labels and annotations are read."""

    PROA = "proa"
    ISTIO = "istio"
    """Istio's names mean what they mean there; Proa's own still work, and win."""


class IpFamily(StrEnum):
    DUAL_STACK = "dual-stack"
    IPV4 = "ipv4"
    """For nodes whose kernel has no IPv6 at all: listeners bind 0.0.0.0 instead of `::`."""


class IssuerKey(StrEnum):
    """Of roots and intermediates that Proa makes itself: what every sidecar verifies (docs/decisions/0006)."""

    ECDSA_P256 = "ecdsa-p256"
    ECDSA_P384 = "ecdsa-p384"
    RSA_2048 = "rsa-2048"
    RSA_3072 = "rsa-3072"
    RSA_4096 = "rsa-4096"


class Certificate(Section, frozen=True):
    """Workload certificates."""

    lifetime_seconds: Annotated[int, Meta(ge=_SHORTEST_CERTIFICATE, le=_LONGEST_CERTIFICATE)] = 86400
    """One hour to 91 days: what the API server takes in a PodCertificateRequest (Kubernetes 1.37)."""
    issuer_key: IssuerKey = IssuerKey.ECDSA_P256
    """Of the next intermediate and the next root; those that there are stay as they are."""


class NoDiscovery(Section, frozen=True, tag_field="kind", tag="none"):
    """Outbound traffic passes through to where the application dialled, as it is."""


class FileDiscovery(Section, frozen=True, tag_field="kind", tag="files"):
    """Clusters, endpoints and listeners are read from a ConfigMap of the pod's namespace, and followed."""

    config_map: ConfigMapName = names.DISCOVERY_VOLUME


Discovery: TypeAlias = NoDiscovery | FileDiscovery


class MeshConfiguration(Section, frozen=True):
    """Everything an admin may set. `trust_domain` is text here and a `TrustDomain` where it is used."""

    trust_domain: Domain = "cluster.local"
    trust_domain_aliases: tuple[Name, ...] = ()
    """Its former names, or its next one: workloads of either are believed, and are the same ones."""
    federation: Federation = NoFederation()
    vocabulary: Vocabulary = Vocabulary.PROA
    peer_tls: PeerTls = PeerTls.PERMISSIVE
    ip_family: IpFamily = IpFamily.DUAL_STACK
    proxy: Proxy = Proxy()
    init: Init = Init()
    interception: Programming = ByPod()
    certificate: Certificate = Certificate()
    authority: Authority = Authority()
    discovery: Discovery = NoDiscovery()
    injection: Injection = Injection()
    never_inject_namespaces: tuple[Namespace, ...] = (
        "kube-system",
        "kube-public",
        "kube-node-lease",
        "local-path-storage",
        names.NODE_NAMESPACE,
    )
    """Beside `proa-system`, whose pods are never injected: the injector must not need itself to start."""
    templates: dict[TemplateName, PartialPod] = {}  # noqa: RUF012
    """By name, beside those that are built in, which they may replace."""
    default_templates: tuple[TemplateName, ...] = ()
    """Of pods that name none."""

    def __post_init__(self) -> None:
        own_domains(self.trust_domain, self.trust_domain_aliases, self.federation)
        check_federable(self.federation, self.authority.roots)
        by_node = isinstance(self.interception, ByNode)
        if not by_node and isinstance(self.authority.workload_api, WorkloadApiOfNodes):
            allowed = "none, unless interception.programmedBy is node: there is no agent otherwise"
            raise Invalid("authority.workloadApi.kind", "node-agent", allowed)
        for name in self.default_templates:
            if name not in self.known_templates:
                raise Invalid("defaultTemplates", shown(name), ", ".join(self.known_templates))
        for name in self.injection.enforce:
            if name in (*self.never_inject_namespaces, names.SYSTEM_NAMESPACE):
                allowed = (
                    f"namespaces that may be injected: none of neverInjectNamespaces, nor {names.SYSTEM_NAMESPACE}"
                )
                raise Invalid("injection.enforce", shown(name), allowed)

    @property
    def own_domains(self) -> tuple[TrustDomain, ...]:
        """The trust domain by all its names: certificates are issued by the first."""
        return own_domains(self.trust_domain, self.trust_domain_aliases, self.federation)

    @property
    def known_templates(self) -> Mapping[str, PartialPod]:
        return {**BUILT_IN, **self.templates}


def mesh_configuration(document: str | bytes) -> MeshConfiguration:
    """The configuration that *document* (YAML) describes. Raises Refused naming every field that is wrong."""
    problems = Problems()
    with problems.collected():
        return section(MeshConfiguration, _tree(document))
    raise problems.refusal(_SUBJECT)


def _tree(document: str | bytes) -> Json:
    if len(document) > LARGEST:
        raise Invalid("the document", f"{len(document)} characters", f"at most {LARGEST}")
    trees = tuple(map(plain, read(document)))
    match trees:
        case ():
            return {}
        case [dict() as tree]:
            return tree
        case [tree]:
            raise Invalid("the document", shown(tree), "a mapping")
        case _:
            raise Invalid("the stream", f"{len(trees)} documents", "one document")
