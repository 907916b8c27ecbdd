"""Reads what stands in the cluster of the authority's roots and keys. Shell."""

from dataclasses import dataclass

from ca.creation import published_now, root_secret
from ca.phases import record_of, wish_of
from ca.stored import ISSUER_SECRET, root_certificates, stored_material
from ca.writes import Found
from kube.client import Client
from kube.resources import SECRETS
from proa.json import Json
from proa.names import SYSTEM_NAMESPACE


@dataclass(frozen=True, slots=True)
class Standing:
    """Both Secrets as they stand, and what all of it comes to. No root's key has been read."""

    secret: Json
    root_secret: Json
    found: Found


async def standing(client: Client) -> Standing:
    """Raises ProaError: where the API server does, and where a Secret does not hold what it should."""
    # The keys first: whoever stands still after that finds them changed when it would remove one. The other way round,
    # a leader of former times removed the key of the root that issues by now, for what it had read of the phase.
    roots = await root_secret(client)
    secret, published = await client.get(SECRETS, ISSUER_SECRET, SYSTEM_NAMESPACE), await published_now(client)
    keys = () if roots is None else root_certificates(roots)
    return Standing(secret, roots, Found(stored_material(secret), record_of(secret), wish_of(secret), keys, published))
