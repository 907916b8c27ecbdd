"""Reads what stands in the cluster of the authority's roots and keys. Shell."""

from dataclasses import dataclass

from ca.creation import published_now, root_secret
from ca.material import Issuer
from ca.phases import record_of, wish_of
from ca.stored import ISSUER_SECRET, stored_material, stored_roots
from ca.writes import Found
from kube.client import Client
from kube.resources import SECRETS
from proa.json import Json
from proa.names import SYSTEM_NAMESPACE


@dataclass(frozen=True, slots=True)
class Standing:
    """Both Secrets as they stand, the roots with their keys, and what all of it comes to."""

    secret: Json
    root_secret: Json
    held: tuple[Issuer, ...]
    found: Found


async def standing(client: Client) -> Standing:
    """Raises ProaError: where the API server does, and where a Secret does not hold what it should."""
    secret = await client.get(SECRETS, ISSUER_SECRET, SYSTEM_NAMESPACE)
    roots, published = await root_secret(client), await published_now(client)
    held = () if roots is None else stored_roots(roots)
    keys = tuple(each.issuing.certificate for each in held)
    return Standing(
        secret, roots, held, Found(stored_material(secret), record_of(secret), wish_of(secret), keys, published)
    )
