"""Removes an installation: the registrations first, and everything else in the end. Shell."""

import asyncio
from dataclasses import dataclass, replace
from typing import TypeAlias

from installation import survey
from installation.apply import Told, remove, wait_gone
from installation.certmanager import secrets
from installation.changes import Title, title
from installation.departure import Carrier, carriers, clinging
from installation.planning import in_order_of_removal, of_revision, without
from installation.present import read_labelled, read_objects, read_pods, read_registrations, read_trust_bundles
from installation.reading import read_denied
from installation.rights import REMOVING, lacking, rights
from installation.trees import text
from kube.client import Client
from kube.resources import DAEMON_SETS, DEPLOYMENTS, MUTATING_WEBHOOKS, NAMESPACES, PODS, key_of, resource_of
from proa.json import Json


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to go: the *revision* ("" is the default one), or with None all of them and what they share.

    *seconds* to wait until it is gone.
    """

    revision: str | None
    dry_run: bool
    force: bool
    seconds: float


@dataclass(frozen=True, slots=True)
class Needed:
    """Namespaces still ask for the revision: nothing was changed."""

    namespaces: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NotAllowed:
    """The user may not remove everything: nothing was changed. *lacking* says what is missing."""

    lacking: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Removed:
    """What was removed, or would be; *left* is what was not gone in time. *carriers* still have sidecars, and
    *labelled* are the namespaces with labels of Proa's, which are the users' own. Where one revision went, both are
    empty: the authority goes on, and `proa status` tells the pods that are to be made again.
    """

    dry_run: bool
    titles: tuple[Title, ...]
    left: tuple[Title, ...]
    carriers: tuple[Carrier, ...]
    labelled: tuple[str, ...]


Outcome: TypeAlias = Needed | NotAllowed | Removed


async def run(client: Client, asked: Asked, told: Told) -> Outcome:
    """Raises Interrupted, and whatever the API server refuses before anything is changed."""
    told("looking at the cluster")
    going = await _going(client, asked.revision)
    needed = await _needed(client, asked)
    if needed:
        return Needed(needed)
    denied = tuple(lacking(await read_denied(client, rights(going, REMOVING))))
    if denied:
        return NotAllowed(denied)
    left = () if asked.dry_run else await _removed(client, going, asked, told)
    gone = Removed(asked.dry_run, tuple(map(title, going)), tuple(map(title, left)), (), ())
    if asked.revision is not None:
        return gone
    pods, labelled = await asyncio.gather(read_pods(client), read_labelled(client))
    return replace(gone, carriers=carriers(pods), labelled=labelled)


async def _going(client: Client, revision: str | None) -> tuple[Json, ...]:
    present = await read_objects(client)
    if revision is not None:
        own = in_order_of_removal(of_revision(present, revision))
        return (*own, *secrets(own))
    strays = without(await read_registrations(client), present)
    return (*strays, *in_order_of_removal(present), *await read_trust_bundles(client))


async def _needed(client: Client, asked: Asked) -> tuple[str, ...]:
    """The namespaces that keep the revision from going."""
    if asked.revision is None or asked.force:
        return ()
    return clinging(map(survey.namespace, await client.list(NAMESPACES)), asked.revision)


async def _removed(client: Client, going: tuple[Json, ...], asked: Asked, told: Told) -> tuple[Json, ...]:
    """In three steps, as our own processes would make some of it again while they run."""
    await remove(client, [each for each in going if resource_of(each) == MUTATING_WEBHOOKS], told)
    running = [each for each in going if resource_of(each) in (DEPLOYMENTS, DAEMON_SETS)]
    await remove(client, running, told)
    told("waiting until Proa's pods are gone")
    labels = {text(each, "metadata", "name") for each in running}
    namespaces = dict.fromkeys(key_of(each).namespace for each in running)
    pods = await asyncio.gather(*(client.list(PODS, each) for each in namespaces))
    every = (each for found in pods for each in found)
    own = [each for each in every if text(each, "metadata", "labels", "app.kubernetes.io/name") in labels]
    await wait_gone(client, own, asked.seconds)
    await remove(client, going, told)
    told(f"waiting until {len(going)} objects are gone")
    return await wait_gone(client, going, asked.seconds)
