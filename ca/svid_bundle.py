"""Roots as a SPIFFE bundle, which federated trust domains read (SPIFFE Trust Domain and Bundle §4). Pure."""

import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from ca.anchors import anchor
from ca.jwk import parameters
from proa.federation import Bundles, foreign_roots
from proa.identity import TrustDomain
from proa.json import Json
from proa.mesh import MeshConfiguration

REFRESH_HINT: Final = 3600
"""Seconds; a root is published for a day or more before it issues, unless an admin cuts that short."""


def spiffe_bundle(roots: tuple[x509.Certificate, ...], tokens: Sequence[Json] = ()) -> Json:
    """A JWK set with one key for each root, whose `kid` is absent, as X509-SVID bundles want it; and with the keys of
    *tokens*, as `ca.jwt.keys.key_set` tells them."""
    return {"keys": [*(_key(root) for root in roots), *tokens], "spiffe_refresh_hint": REFRESH_HINT}


def trust_bundles(mesh: MeshConfiguration, roots: tuple[x509.Certificate, ...]) -> str:
    """A bundle for each trust domain that sidecars believe, as Envoy's SPIFFE validator reads them (JSON): *roots* for
    this one by each of its names, and for the others what the configuration says, each root constrained to what it
    stands for. The same for the same, byte by byte.
    """
    foreign = mesh.federation.trust_domains if isinstance(mesh.federation, Bundles) else {}
    domains = {each.name: roots for each in mesh.own_domains}
    domains |= {domain.name: found for domain, found in anchors(foreign).items()}
    bundles = {name: spiffe_bundle(each) for name, each in domains.items()}
    return json.dumps({"trust_domains": bundles}, separators=(",", ":"))


def anchors(bundles: Mapping[str, str]) -> dict[TrustDomain, tuple[x509.Certificate, ...]]:
    """The roots of the configuration's *bundles* as anchors that vouch for nothing but their trust domain, by its name.

    One that stands under several names, as of a mesh that is being renamed, may vouch for each of them: its
    intermediates have the former one for a while.
    """
    foreign = {TrustDomain(name): foreign_roots(bundle) for name, bundle in sorted(bundles.items())}
    return {
        domain: tuple(anchor(root, *(each for each, other in foreign.items() if root in other)) for root in roots)
        for domain, roots in foreign.items()
    }


def _key(root: x509.Certificate) -> Json:
    certificate = b64encode(root.public_bytes(Encoding.DER)).decode("ascii")
    return {**parameters(root.public_key()), "use": "x509-svid", "x5c": [certificate]}
