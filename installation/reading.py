"""Reads from the API server what the checks look at. Shell: what it means is `survey`'s and the checks'."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Final, TypeVar

from installation import survey
from installation.deployments import Deployment, deployment
from installation.metadata import OURS
from installation.rehearsal import Rehearsal, Rejected, rehearsal_pod, rehearsed, stage
from installation.rights import Right
from installation.state import BadConfiguration, Configured, Installation, NoConfiguration
from installation.survey import Cluster, Part, Unread
from installation.trees import text, texts
from kube.client import Client
from kube.failures import ApiRefused, Forbidden, NotFound, Unauthenticated
from kube.resources import (
    CERT_MANAGERS,
    CLUSTER_TRUST_BUNDLES,
    CONFIG_MAPS,
    DAEMON_SETS,
    DEPLOYMENTS,
    MUTATING_WEBHOOKS,
    NAMESPACES,
    NODES,
    POD_CERTIFICATE_REQUESTS,
    PODS,
    Resource,
)
from proa import names
from proa.errors import Invalid, Refused
from proa.json import Json
from proa.mesh import MeshConfiguration
from proa.programming import ByPod, Programming
from webhook.trial import tried_configuration

_NEEDED: Final = (POD_CERTIFICATE_REQUESTS, CLUSTER_TRUST_BUNDLES)
_MANAGER: Final = "proa-check"

T = TypeVar("T")


async def read_cluster(client: Client, needed: Iterable[Right] = ()) -> Cluster:
    """What an installation would meet; *needed* is what the user must be allowed.

    Raises Unreachable and Unauthenticated.
    """
    version, rights = await client.version(), tuple(needed)
    unserved, denied, nodes, namespaces, entries = await asyncio.gather(
        _unserved(client, rights),
        _part(read_denied(client, rights)),
        _part(_listed(client, NODES, survey.node)),
        _part(_listed(client, NAMESPACES, survey.namespace)),
        _part(_listed(client, MUTATING_WEBHOOKS, survey.entries)),
    )
    flat = entries if isinstance(entries, Unread) else tuple(each for group in entries for each in group)
    return Cluster(version, unserved, denied, nodes, namespaces, flat)


async def read_installation(client: Client, cluster: Cluster, revision: str, version: str) -> Installation:
    """What is installed as *revision*. Raises Unreachable, Unauthenticated."""
    deployments, configuration, bundles, rehearsal = await asyncio.gather(
        _part(read_deployments(client)),
        _part(read_configuration(client, revision)),
        _part(_bundles(client)),
        read_rehearsal(client, stage(revision, cluster.namespaces)),
    )
    return Installation(revision, version, cluster, deployments, configuration, bundles, rehearsal)


async def read_deployments(client: Client) -> tuple[Deployment, ...]:
    """Proa's own, with what their pods wait for."""
    deployments, agents, pods, on_nodes = await asyncio.gather(
        client.list(DEPLOYMENTS, names.SYSTEM_NAMESPACE, OURS),
        client.list(DAEMON_SETS, names.NODE_NAMESPACE, OURS),
        client.list(PODS, names.SYSTEM_NAMESPACE, OURS),
        client.list(PODS, names.NODE_NAMESPACE, OURS),
    )
    return tuple(deployment(each, [*pods, *on_nodes]) for each in (*deployments, *agents))


async def read_configuration(client: Client, revision: str) -> Configured:
    """The mesh configuration in the ConfigMap of *revision*."""
    name = f"{names.CONFIGURATION_MAP}-{revision}" if revision else names.CONFIGURATION_MAP
    try:
        found = texts(await client.get(CONFIG_MAPS, name, names.SYSTEM_NAMESPACE), "data")
    except NotFound:
        return NoConfiguration(f"ConfigMap {names.SYSTEM_NAMESPACE}/{name} is missing")
    if names.CONFIGURATION_KEY not in found:
        return NoConfiguration(f"ConfigMap {names.SYSTEM_NAMESPACE}/{name} has no key {names.CONFIGURATION_KEY}")
    try:
        return tried_configuration(found[names.CONFIGURATION_KEY])
    except Invalid as problem:
        return BadConfiguration((str(problem),))
    except Refused as refusal:
        return BadConfiguration(tuple(map(str, refusal.problems)))


async def _unserved(client: Client, needed: tuple[Right, ...]) -> tuple[Resource, ...]:
    # What is only looked for may well be missing.
    kinds = {each.resource for each in needed if each.verb == "create"}
    asked = (*_NEEDED, *(each for each in CERT_MANAGERS if each in kinds))
    served = await asyncio.gather(*map(client.supports, asked))
    return tuple(each for each, there in zip(asked, served, strict=True) if not there)


async def read_denied(client: Client, needed: Iterable[Right]) -> tuple[Right, ...]:
    """Those of *needed* that the user has not."""
    asked = tuple(needed)
    allowed = await asyncio.gather(
        *(client.allowed(each.verb, each.resource, each.namespace or None) for each in asked)
    )
    return tuple(right for right, granted in zip(asked, allowed, strict=True) if not granted)


async def _listed(client: Client, resource: Resource, projection: Callable[[Json], T]) -> tuple[T, ...]:
    return tuple(map(projection, await client.list(resource)))


async def read_programming(client: Client, revision: str) -> Programming:
    """Who programs pods by the configuration of *revision*; pods themselves, where that does not tell."""
    try:
        found = await read_configuration(client, revision)
    except ApiRefused:
        return ByPod()
    return found.interception if isinstance(found, MeshConfiguration) else ByPod()


async def _bundles(client: Client) -> tuple[str, ...]:
    found = await client.list(CLUSTER_TRUST_BUNDLES)
    return tuple(text(each, "metadata", "name") for each in found if text(each, "spec", "signerName") == names.SIGNER)


async def read_rehearsal(client: Client, namespace: Part[str]) -> Part[Rehearsal]:
    """Creates a pod in a dry run: admission runs in full, and nothing is stored."""
    if isinstance(namespace, Unread):
        return namespace
    try:
        return rehearsed(await client.apply(rehearsal_pod(namespace), _MANAGER, dry_run=True))
    except Forbidden as refusal:
        return Unread(f"you may not create pods in namespace {namespace}: {refusal.message}")
    except ApiRefused as refusal:
        return Rejected(refusal.message)


async def _part(reading: Awaitable[T]) -> Part[T]:
    """What *reading* gives, or why it gives nothing: one denied kind must not end the whole survey."""
    try:
        return await reading
    except Unauthenticated:
        raise
    except ApiRefused as refusal:
        return Unread(refusal.message)
