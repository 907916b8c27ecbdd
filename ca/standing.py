"""Reads what stands in the cluster of the authority's roots and keys. Shell."""

from dataclasses import dataclass

from ca.creation import root_secret
from ca.in_force import in_force
from ca.maps.plan import kept
from ca.phases import wish_of
from ca.root_secret import root_certificates
from ca.writes import Found
from kube.client import Client
from kube.failures import NotFound
from kube.resources import CONFIG_MAPS
from proa.errors import Refused
from proa.json import Json
from proa.mesh import MeshConfiguration, mesh_configuration
from proa.names import CONFIGURATION_KEY, CONFIGURATION_MAP, SYSTEM_NAMESPACE


@dataclass(frozen=True, slots=True)
class Standing:
    """Both Secrets as they stand, and what all of it comes to. No root's key has been parsed."""

    secret: Json
    root_secret: Json
    found: Found


async def standing(client: Client, mesh: MeshConfiguration) -> Standing:
    """Raises ProaError: where the API server does, and where a Secret does not hold what it should."""
    # The keys first: whoever stands still after that finds them changed when it would remove one. The other way round,
    # a leader of former times removed the key of the root that issues by now, for what it had read of the phase.
    roots = await root_secret(client)
    now = await in_force(client, mesh)
    keys = () if roots is None else root_certificates(roots)
    return Standing(now.secret, roots, Found(now.material, now.record, wish_of(now.secret), keys, now.published))


async def configured(client: Client) -> MeshConfiguration:
    """The mesh's configuration for who does not follow it; the default where there is none that can be used."""
    try:
        found = await client.get(CONFIG_MAPS, CONFIGURATION_MAP, SYSTEM_NAMESPACE)
        return mesh_configuration(kept(found).data.get(CONFIGURATION_KEY, ""))
    except (NotFound, Refused):
        return MeshConfiguration()
