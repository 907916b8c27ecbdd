"""The issuer's renewal where certificates can be revoked: by the one whose CRL pods have already. Shell."""

from datetime import datetime, timedelta

from ca.in_force import InForce, in_force, succeed
from ca.material import Issuer, Material
from ca.revocation.storage import stored_register
from ca.revocation.tending import ripe, waiting
from kube.client import Client
from proa.clock import Clock
from proa.errors import Invalid
from proa.mesh import MeshConfiguration


async def renew_covered(client: Client, mesh: MeshConfiguration, clock: Clock) -> Material:
    """Raises ProaError: where no issuer waits, and where pods may not have its CRL yet, unless that cannot wait."""
    stands = await in_force(client, mesh)
    following = waiting((await stored_register(client)).register, stands.material.root)
    if following is None:
        raise Invalid("the next issuer", "none", "one below the same root: is its key in the Secret proa-ca-root?")
    if not _urgent(stands.material, stands.record.longest, clock()):
        _check_known(following, stands, clock())
    return await succeed(client, stands.secret, following)


def _check_known(following: Issuer, stands: InForce, now: datetime) -> None:
    known = stands.material.root in stands.published
    if not known or not ripe(following, stands.record.longest, now):
        allowed = "to be in the ConfigMap of every namespace for as long as a certificate may live"
        raise Invalid("the next issuer's CRL", "not known to every pod yet", allowed)


def _urgent(material: Material, longest: timedelta, now: datetime) -> bool:
    """Leaves end with their issuer: there is nothing left to be careful for."""
    return now > material.issuer.issuing.validity.not_after - longest
