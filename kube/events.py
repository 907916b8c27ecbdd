"""Records Events about objects. Shell; what one is, is `occurrences`'."""

import socket

import structlog

from kube.client import Client
from kube.failures import AlreadyExists, ApiRefused, Unreachable
from kube.occurrences import Occurrence, Severity, again, event
from kube.resources import EVENTS, key_of
from proa.clock import Clock
from proa.json import Json

_MANAGER = "proa"


async def record(client: Client, about: Json, reason: str, message: str, severity: Severity, clock: Clock) -> None:
    """Record it, or count it once more. Nothing is raised and nothing repeated: an Event is only a word to people,
    and what it says is logged too. Raises Invalid if *about* has no name.
    """
    # A pod's host name is the pod's own.
    seen = Occurrence(reason, message, severity, socket.gethostname())
    log = structlog.get_logger("events").bind(about=str(key_of(about)), reason=reason)
    log.info("event", message=message, type=severity)
    try:
        await _write(client, event(about, seen, clock()), clock)
    except (Unreachable, ApiRefused) as error:
        log.warning("event not recorded", error=str(error))


async def _write(client: Client, new: Json, clock: Clock) -> None:
    try:
        await client.create(EVENTS, new)
    except AlreadyExists:
        key = key_of(new)
        before = await client.get(EVENTS, key.name, key.namespace)
        await client.merge(EVENTS, key, again(before, clock()), _MANAGER)
