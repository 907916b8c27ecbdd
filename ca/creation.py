"""The first root and the first issuer of a cluster, and the next issuer: made, and stored as Secrets. Shell.

For the process that holds a ceremony (`ceremony`): the root's key is in its memory.
"""

import asyncio
from typing import Final

from cryptography import x509

from ca.authority import new_intermediate, new_root
from ca.in_force import published_now, succeed
from ca.material import Issuer, Material
from ca.root_secret import ROOT_SECRET, roots_secret, stored_roots
from ca.stored import ISSUER_SECRET, material_secret, stored_material
from ca.trust import TRUST_BUNDLE_NAME
from kube.client import Client
from kube.failures import AlreadyExists, NotFound
from kube.resources import SECRETS
from proa.clock import Clock
from proa.errors import Invalid
from proa.identity import TrustDomain
from proa.json import Json
from proa.mesh import IssuerKey
from proa.names import SYSTEM_NAMESPACE

_KEY: Final = IssuerKey.ECDSA_P256
_REMEDY: Final = (
    f"restore the Secret {ISSUER_SECRET} or {ROOT_SECRET}; or, to begin with a new root that no running pod trusts, "
    f"delete the ClusterTrustBundle {TRUST_BUNDLE_NAME}"
)


async def create(client: Client, trust_domain: TrustDomain, clock: Clock, kind: IssuerKey = _KEY) -> None:
    """Both Secrets, as far as they are not there. The root comes first: who dies in between leaves no issuer whose
    root's key is lost, and who loses a race goes on with the winner's. Raises ProaError."""
    roots = await stored_keys(client) or await _new_root(client, trust_domain, clock, kind)
    # The Secret `proa-ca` may have been lost in the middle of a rotation: then leaves of both roots are alive, and the
    # one that is not published is not there yet, or not any more.
    published = await published_now(client)
    usable = tuple(root for root in roots if root.issuing.certificate in published) or roots
    trusted = tuple(root.issuing.certificate for root in usable)
    issuer = await asyncio.to_thread(new_intermediate, trust_domain, usable[0], clock(), kind)
    material = Material(issuer, trusted)
    try:
        await client.create(SECRETS, material_secret(material))
    except AlreadyExists:
        return


async def renew(client: Client, trust_domain: TrustDomain, clock: Clock, kind: IssuerKey = _KEY) -> Material:
    """A new intermediate below the same root, in the same Secret. Raises ProaError: where the root's key is not in
    `proa-ca-root`, where it is another root's, where somebody else changes the Secret at the same time."""
    secret = await client.get(SECRETS, ISSUER_SECRET, SYSTEM_NAMESPACE)
    root = key_of(stored_material(secret).root, await stored_keys(client))
    return await succeed(client, secret, await asyncio.to_thread(new_intermediate, trust_domain, root, clock(), kind))


def key_of(root: x509.Certificate, held: tuple[Issuer, ...]) -> Issuer:
    """*root* with its key, of those that are *held*. Raises Invalid."""
    if not held:
        raise Invalid(f"the Secret {ROOT_SECRET}", "none", "one with the root's key")
    found = next((each for each in held if each.issuing.certificate == root), None)
    if found is None:
        raise Invalid(f"the Secret {ROOT_SECRET}", "another root", "the root that issued the present issuer")
    return found


async def stored_keys(client: Client) -> tuple[Issuer, ...]:
    """The roots whose keys are in the cluster; none where an admin took them offline. Raises ProaError."""
    secret = await root_secret(client)
    return () if secret is None else stored_roots(secret)


async def root_secret(client: Client) -> Json:
    """`proa-ca-root` as it stands, None where it is absent. Raises ProaError."""
    try:
        return await client.get(SECRETS, ROOT_SECRET, SYSTEM_NAMESPACE)
    except NotFound:
        return None


async def _new_root(client: Client, trust_domain: TrustDomain, clock: Clock, kind: IssuerKey) -> tuple[Issuer, ...]:
    if await published_now(client):
        # A Secret lost by accident must not cost every running pod its trust in every other.
        raise Invalid("the authority's Secrets", "none, but pods that trust an earlier root", _REMEDY)
    root = await asyncio.to_thread(new_root, trust_domain, clock(), kind)
    try:
        await client.create(SECRETS, roots_secret((root,)))
    except AlreadyExists:
        return stored_roots(await client.get(SECRETS, ROOT_SECRET, SYSTEM_NAMESPACE))
    return (root,)
