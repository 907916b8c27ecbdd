"""Lists who may have a certificate of the former root. Shell: who has, `holders` says."""

import asyncio
from collections.abc import Awaitable, Iterator
from typing import Final

from ca.accounts.secret import OURS
from ca.holders import Holders, Listed, holders
from ca.phases import Renewing
from ca.writes import Found
from kube.client import Client
from kube.failures import Forbidden, NotFound
from kube.resources import POD_CERTIFICATE_REQUESTS, PODS, SECRETS, Object
from proa.doors import AccountSecrets, WorkloadApiOfNodes
from proa.mesh import MeshConfiguration

_BY_NODES: Final = "what agents gave by the Workload API, which they renew by themselves once the former root is gone"
_OTHERS: Final = "certificates by Istio's protocol and by CertificateSigningRequests, which nobody keeps"


async def held(client: Client, mesh: MeshConfiguration, found: Found) -> Holders | None:
    """None where no root is on its way out. Raises ProaError."""
    phase = found.record.phase
    former = found.trusted(phase.retiring) if isinstance(phase, Renewing) else None
    if former is None or not isinstance(phase, Renewing):
        return None
    return holders(await _listed(client, mesh), former, phase.since)


async def _listed(client: Client, mesh: MeshConfiguration) -> Listed:
    wanted = {"pods": client.list(PODS), "PodCertificateRequests": client.list(POD_CERTIFICATE_REQUESTS)}
    if isinstance(mesh.authority.secrets, AccountSecrets):
        wanted["service accounts' Secrets"] = client.list(SECRETS, None, OURS)
    read = dict(zip(wanted, await asyncio.gather(*map(_read, wanted.values())), strict=True))
    unread = tuple(f"{name}, which cannot be listed" for name, items in read.items() if items is None)
    pods, requests, *secrets = (items or () for items in read.values())
    return Listed(pods, requests, secrets[0] if secrets else (), (*unread, *_uncounted(mesh)))


async def _read(items: Awaitable[tuple[Object, ...]]) -> tuple[Object, ...] | None:
    try:
        return await items
    except (Forbidden, NotFound):
        return None


def _uncounted(mesh: MeshConfiguration) -> Iterator[str]:
    if isinstance(mesh.authority.workload_api, WorkloadApiOfNodes):
        yield _BY_NODES
    yield _OTHERS
