"""The ConfigMap with the roots that namespaces are given: what it is called, what is in it, who mounts it. Pure."""

from collections.abc import Mapping
from typing import Final

from proa.doors import Revocation, RootsMaps, SidecarRoots
from proa.federation import Bundles
from proa.mesh import MeshConfiguration, Vocabulary

ROOTS_KEY: Final = "root-cert.pem"
"""Istio's own, so that what reads Istio's ConfigMap reads ours."""
CRL_KEY: Final = "ca-crl.pem"
"""Istio's own, too. It is there where certificates can be revoked."""
BUNDLES_KEY: Final = "trust-bundles.json"
"""A bundle for each trust domain, where the mesh is federated."""
_NAMES: Final[Mapping[Vocabulary, str]] = {Vocabulary.PROA: "proa-roots", Vocabulary.ISTIO: "istio-ca-root-cert"}
MAP_NAMES: Final = tuple(_NAMES.values())


def map_name(configuration: MeshConfiguration) -> str:
    """In each namespace that opted in; empty where none are kept."""
    return _NAMES[configuration.vocabulary] if isinstance(configuration.authority.roots, RootsMaps) else ""


def mounts_map(configuration: MeshConfiguration) -> bool:
    """Whether sidecars read the roots from it."""
    roots = configuration.authority.roots
    return isinstance(roots, RootsMaps) and roots.sidecars is SidecarRoots.CONFIG_MAP


def federates(configuration: MeshConfiguration) -> bool:
    """Whether sidecars go by a bundle for each trust domain (`proa.federation`)."""
    return isinstance(configuration.federation, Bundles)


def revokes(configuration: MeshConfiguration) -> bool:
    """Whether sidecars refuse leaves that are revoked, and all whose issuer has no CRL that is valid."""
    roots = configuration.authority.roots
    return isinstance(roots, RootsMaps) and roots.revocation is Revocation.CRL
