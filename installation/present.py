"""Reads what of Proa is in a cluster. Shell: what it means is `installed`'s and `planning`'s."""

import asyncio
from typing import Final

from installation.installed import Found, found
from installation.metadata import OURS
from installation.planning import PLACES
from installation.state import registered
from installation.survey import entries
from installation.trees import text, texts
from kube.calls import EVERYTHING, Selectors
from kube.client import Client
from kube.failures import NotFound
from kube.resources import (
    ADMISSION_POLICIES,
    CLUSTER_TRUST_BUNDLES,
    CONFIG_MAPS,
    DEPLOYMENTS,
    MUTATING_WEBHOOKS,
    NAMESPACES,
    PODS,
    Object,
    Resource,
)
from proa import names
from proa.json import Json

_OWN: Final = (names.SYSTEM_NAMESPACE, names.NODE_NAMESPACE)


async def read_found(client: Client) -> Found:
    """What tells how Proa is installed. Raises ApiRefused where a kind may not be read, and Unreachable."""
    deployments, registrations, maps, policies = await asyncio.gather(
        *(_listed(client, each) for each in (DEPLOYMENTS, MUTATING_WEBHOOKS, CONFIG_MAPS, ADMISSION_POLICIES))
    )
    return found(deployments, registrations, maps, policies)


async def read_objects(client: Client) -> tuple[Json, ...]:
    """Every object of every revision, by the label that all carry."""
    kinds = await asyncio.gather(*(_listed(client, each, namespace=namespace) for each, namespace in PLACES))
    return tuple(item for items in kinds for item in items)


async def read_registrations(client: Client) -> tuple[Object, ...]:
    """Those that call a webhook of the system namespace, labelled or not: no other object does harm once it is gone."""
    return tuple(each for each in await client.list(MUTATING_WEBHOOKS) if registered(entries(each)))


async def read_trust_bundles(client: Client) -> tuple[Object, ...]:
    """The roots that the authority has published: of its own making, so that no label tells them."""
    bundles = await _listed(client, CLUSTER_TRUST_BUNDLES, EVERYTHING)
    return tuple(each for each in bundles if text(each, "spec", "signerName") == names.SIGNER)


async def read_pods(client: Client) -> tuple[Object, ...]:
    return await client.list(PODS)


async def read_labelled(client: Client) -> tuple[str, ...]:
    """The namespaces, but Proa's own, that carry a label of Proa's."""
    spaces = await client.list(NAMESPACES)
    carrying = (each for each in spaces if any(k.startswith(f"{names.PREFIX}/") for k in _labels(each)))
    return tuple(name for each in carrying if (name := text(each, "metadata", "name")) not in _OWN)


def _labels(raw: Json) -> dict[str, str]:
    return texts(raw, "metadata", "labels")


async def _listed(
    client: Client, resource: Resource, selectors: Selectors = OURS, namespace: str = names.SYSTEM_NAMESPACE
) -> tuple[Object, ...]:
    try:
        return await client.list(resource, namespace if resource.namespaced else None, selectors)
    except NotFound:
        # A kind that this API server does not have: cert-manager's, or one that is younger than it.
        return ()
