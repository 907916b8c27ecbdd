"""The first root and the first issuer of a cluster, and the next issuer: made, and stored as Secrets. Shell."""

from typing import Final

from ca.authority import new_intermediate, new_root
from ca.material import Issuer, Material
from ca.stored import (
    ISSUER_SECRET,
    ROOT_SECRET,
    material_secret,
    renewed_secret,
    root_secret,
    stored_material,
    stored_root,
)
from ca.trust import TRUST_BUNDLE_NAME, published_roots
from kube.client import Client
from kube.failures import AlreadyExists, NotFound
from kube.resources import CLUSTER_TRUST_BUNDLES, SECRETS
from proa.clock import Clock
from proa.errors import Invalid
from proa.identity import TrustDomain
from proa.names import SYSTEM_NAMESPACE

_REMEDY: Final = (
    f"restore the Secret {ISSUER_SECRET} or {ROOT_SECRET}; or, to begin with a new root that no running pod trusts, "
    f"delete the ClusterTrustBundle {TRUST_BUNDLE_NAME}"
)


async def create(client: Client, trust_domain: TrustDomain, clock: Clock) -> None:
    """Both Secrets, as far as they are not there. The root comes first: who dies in between leaves no issuer whose
    root's key is lost, and who loses a race goes on with the winner's. Raises ProaError."""
    root = await _stored_root(client) or await _new_root(client, trust_domain, clock)
    material = Material(new_intermediate(trust_domain, root, clock()), (root.issuing.certificate,))
    try:
        await client.create(SECRETS, material_secret(material))
    except AlreadyExists:
        return


async def renew(client: Client, trust_domain: TrustDomain, clock: Clock) -> Material:
    """A new intermediate below the same root, in the same Secret. Raises ProaError: where the root's key is not in
    `proa-ca-root`, where it is another root's, where somebody else changes the Secret at the same time."""
    secret = await client.get(SECRETS, ISSUER_SECRET, SYSTEM_NAMESPACE)
    material = stored_material(secret)
    root = await _stored_root(client)
    if root is None:
        raise Invalid(f"the Secret {ROOT_SECRET}", "none", "one with the root's key")
    if root.issuing.certificate != material.root:
        raise Invalid(f"the Secret {ROOT_SECRET}", "another root", "the root that issued the present issuer")
    renewed = Material(new_intermediate(trust_domain, root, clock()), material.roots)
    await client.replace(SECRETS, renewed_secret(secret, renewed))
    return renewed


async def _stored_root(client: Client) -> Issuer | None:
    try:
        return stored_root(await client.get(SECRETS, ROOT_SECRET, SYSTEM_NAMESPACE))
    except NotFound:
        return None


async def _new_root(client: Client, trust_domain: TrustDomain, clock: Clock) -> Issuer:
    await _check_that_nobody_trusts_another(client)
    root = new_root(trust_domain, clock())
    try:
        await client.create(SECRETS, root_secret(root))
    except AlreadyExists:
        return stored_root(await client.get(SECRETS, ROOT_SECRET, SYSTEM_NAMESPACE))
    return root


async def _check_that_nobody_trusts_another(client: Client) -> None:
    """A Secret lost by accident must not cost every running pod its trust in every other."""
    try:
        bundle = await client.get(CLUSTER_TRUST_BUNDLES, TRUST_BUNDLE_NAME)
    except NotFound:
        return
    if published_roots(bundle):
        raise Invalid("the authority's Secrets", "none, but pods that trust an earlier root", _REMEDY)
