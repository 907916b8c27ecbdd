"""Reads what is in force and what pods are given of it; puts the next issuer in its place. Shell. No root's key."""

from dataclasses import dataclass

from cryptography import x509

from ca.maps.plan import asks, kept, tells, told_everywhere
from ca.material import Issuer, Material
from ca.phases import Record, record_of
from ca.revocation.storage import stored_register
from ca.revocation.tending import covered
from ca.stored import ISSUER_SECRET, material_secret, renewed_secret, stored_material
from ca.trust import TRUST_BUNDLE_NAME, trusted_roots
from kube.calls import Selectors
from kube.client import Client
from kube.failures import NotFound
from kube.resources import CLUSTER_TRUST_BUNDLES, CONFIG_MAPS, NAMESPACES, SECRETS, key_of
from proa.json import Json
from proa.mesh import MeshConfiguration
from proa.names import SYSTEM_NAMESPACE
from proa.rootsmap import CRL_KEY, map_name, revokes


@dataclass(frozen=True, slots=True)
class InForce:
    """The Secret `proa-ca` as it stands, what it holds, and the roots that every pod can know of by now."""

    secret: Json
    material: Material
    record: Record
    published: tuple[x509.Certificate, ...]


async def in_force(client: Client, mesh: MeshConfiguration) -> InForce:
    """Raises ProaError: where the API server does, and where the Secret does not hold what it should."""
    secret = await client.get(SECRETS, ISSUER_SECRET, SYSTEM_NAMESPACE)
    material = stored_material(secret)
    return InForce(secret, material, record_of(secret), await _published(client, mesh, material))


async def succeed(client: Client, secret: Json, issuer: Issuer) -> Material:
    """*issuer* instead of the one in *secret*, below the same roots. Raises ProaError."""
    renewed = Material(issuer, stored_material(secret).roots)
    await client.replace(SECRETS, renewed_secret(secret, material_secret(renewed)))
    return renewed


async def published_now(client: Client) -> tuple[x509.Certificate, ...]:
    """The roots that the cluster gives its pods. Raises ProaError."""
    try:
        return trusted_roots(await client.get(CLUSTER_TRUST_BUNDLES, TRUST_BUNDLE_NAME))
    except NotFound:
        return ()


async def _published(client: Client, mesh: MeshConfiguration, material: Material) -> tuple[x509.Certificate, ...]:
    """What is told in every place from which pods may have it."""
    bundle, name = await published_now(client), map_name(mesh)
    if not name:
        return bundle
    if not bundle and not await client.supports(CLUSTER_TRUST_BUNDLES):
        bundle = material.roots
    namespaces = [key_of(each).name for each in await client.list(NAMESPACES) if asks(each, mesh)]
    maps = await client.list(CONFIG_MAPS, None, Selectors(field=f"metadata.name={name}"))
    told = told_everywhere(namespaces, {key_of(each).namespace: kept(each) for each in maps})
    known = tuple(root for root in bundle if all(tells(data, root) for data in told))
    if not revokes(mesh):
        return known
    register = (await stored_register(client)).register
    return tuple(root for root in known if covered(register, root, (data.get(CRL_KEY, "") for data in told)))
