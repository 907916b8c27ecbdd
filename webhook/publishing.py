"""Keeps the caBundle of the registration as the trust bundle's file is. Shell; run it on the leader alone.

Applied server-side, and without force: a bundle that somebody else has set and owns stays, and the self-test says
whether it works.
"""

import asyncio
from pathlib import Path
from typing import Final

import structlog

from kube.client import Client
from kube.index import Index
from kube.until import until
from proa.errors import ProaError
from proa.running import Service
from webhook.serving import waited
from webhook.trust import FIELD_MANAGER, Registration, ca_bundle, trusting

_SECONDS: Final = 2.0


def publishing(client: Client, registrations: Index[Registration], name: str, bundle: Path) -> Service:
    """A service that applies the roots in *bundle* to the registration *name* whenever either of them is another."""

    async def publish(stopping: asyncio.Event) -> None:
        await until(stopping, registrations.synced.wait())
        told = ""
        while not stopping.is_set():
            problem = await _published(client, registrations.get(None, name), bundle)
            if problem and problem != told:
                structlog.get_logger("webhook").warning("caBundle not applied", error=problem)
            told = problem
            await waited(stopping, _SECONDS)

    return publish


async def _published(client: Client, registration: Registration | None, file: Path) -> str:
    """Why the registration does not have the bundle; nothing where it has."""
    if registration is None:
        return "the registration does not exist"
    try:
        wanted = trusting(registration, _bundle(file))
        if wanted is not None:
            await client.apply(wanted, FIELD_MANAGER)
            structlog.get_logger("webhook").info("caBundle applied", registration=registration.metadata.name)
    except (OSError, ProaError) as error:
        return str(error)
    return ""


def _bundle(file: Path) -> bytes:
    return ca_bundle(file.read_bytes())
