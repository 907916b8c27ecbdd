"""Makes the issuers that have to wait for their turn: below each trusted root whose key is here. Shell.

For the process that holds a ceremony (`ca.ceremony`): a root's key is in its memory. Each is stored together with its
CRL, which is published as soon as it is there.
"""

import asyncio
from dataclasses import replace

from ca.authority import new_intermediate
from ca.creation import key_of, stored_keys
from ca.phases import record_of
from ca.revocation.register import Held, Register
from ca.revocation.storage import store, stored_register
from ca.revocation.tending import lacking, with_crls
from ca.stored import ISSUER_SECRET, stored_material
from kube.client import Client
from kube.failures import AlreadyExists, Conflict
from kube.resources import SECRETS
from proa.clock import Clock
from proa.identity import TrustDomain
from proa.mesh import MeshConfiguration
from proa.names import SYSTEM_NAMESPACE


async def prepare(client: Client, mesh: MeshConfiguration, clock: Clock) -> int:
    """How many were made; none where somebody changed the register meanwhile, which has the leader look again. Raises
    ProaError."""
    secret = await client.get(SECRETS, ISSUER_SECRET, SYSTEM_NAMESPACE)
    longest, found, now = record_of(secret).longest, await stored_register(client), clock()
    keys, domain = await stored_keys(client), TrustDomain(mesh.trust_domain)
    trusted = (each.issuing.certificate for each in keys)
    made: tuple[Held, ...] = ()
    for root in lacking(found.register, trusted, stored_material(secret), longest, now):
        # In a thread, as keys of some kinds take their time.
        kind = mesh.certificate.issuer_key
        issuer = await asyncio.to_thread(new_intermediate, domain, key_of(root, keys), now, kind)
        made = (*made, Held(issuer))
    fresh = with_crls(Register(found.register.revoked, made), longest, now)
    try:
        if made:
            await store(client, _both(found.register, fresh), found.version)
    except (AlreadyExists, Conflict):
        return 0
    return len(made)


def _both(register: Register, fresh: Register) -> Register:
    issuers, crls = (*register.issuers, *fresh.issuers), (*register.crls, *fresh.crls)
    return replace(register, issuers=issuers, crls=crls)
