"""Reads what stands in the cluster of the authority's roots and keys. Shell."""

from dataclasses import dataclass

from cryptography import x509

from ca.creation import published_now, root_secret
from ca.maps.plan import asks, kept, tells, told_everywhere
from ca.material import Material
from ca.phases import record_of, wish_of
from ca.revocation.storage import stored_register
from ca.revocation.tending import covered
from ca.stored import ISSUER_SECRET, root_certificates, stored_material
from ca.writes import Found
from kube.calls import Selectors
from kube.client import Client
from kube.failures import NotFound
from kube.resources import CLUSTER_TRUST_BUNDLES, CONFIG_MAPS, NAMESPACES, SECRETS, key_of
from proa.errors import Refused
from proa.json import Json
from proa.mesh import MeshConfiguration, mesh_configuration
from proa.names import CONFIGURATION_KEY, CONFIGURATION_MAP, SYSTEM_NAMESPACE
from proa.rootsmap import CRL_KEY, map_name, revokes


@dataclass(frozen=True, slots=True)
class Standing:
    """Both Secrets as they stand, and what all of it comes to. No root's key has been read."""

    secret: Json
    root_secret: Json
    found: Found


async def standing(client: Client, mesh: MeshConfiguration) -> Standing:
    """Raises ProaError: where the API server does, and where a Secret does not hold what it should."""
    # The keys first: whoever stands still after that finds them changed when it would remove one. The other way round,
    # a leader of former times removed the key of the root that issues by now, for what it had read of the phase.
    roots = await root_secret(client)
    secret = await client.get(SECRETS, ISSUER_SECRET, SYSTEM_NAMESPACE)
    material = stored_material(secret)
    published = await _published(client, mesh, material)
    keys = () if roots is None else root_certificates(roots)
    return Standing(secret, roots, Found(material, record_of(secret), wish_of(secret), keys, published))


async def configured(client: Client) -> MeshConfiguration:
    """The mesh's configuration for who does not follow it; the default where there is none that can be used."""
    try:
        found = await client.get(CONFIG_MAPS, CONFIGURATION_MAP, SYSTEM_NAMESPACE)
        return mesh_configuration(kept(found).data.get(CONFIGURATION_KEY, ""))
    except (NotFound, Refused):
        return MeshConfiguration()


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
