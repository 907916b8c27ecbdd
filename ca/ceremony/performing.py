"""Holds one ceremony: does what is asked with the root's key, and answers. Shell.

The only code that needs that key, and the process that takes requests does not load it (docs/decisions/0057).
"""

from datetime import datetime
from typing import assert_never

import msgspec

from ca.ceremony.messages import Asked, Step, declined, done
from ca.creation import create, renew
from ca.revocation.preparing import prepare
from ca.rotating import Rotating
from kube.client import Client
from proa.errors import ProaError
from proa.identity import TrustDomain


async def performed(asked: bytes, client: Client) -> bytes:
    """The answer to *asked*. Raises msgspec.MsgspecError for what is none of ours."""
    try:
        return done(await _performed(msgspec.json.decode(asked, type=Asked), client))
    except ProaError as error:
        return declined(error)


async def _performed(asked: Asked, client: Client) -> object:
    mesh = asked.mesh

    def clock() -> datetime:
        return asked.now

    match asked.step:
        case Step.CREATE:
            await create(client, TrustDomain(mesh.trust_domain), clock, mesh.certificate.issuer_key)
            return None
        case Step.RENEW:
            return str(await renew(client, TrustDomain(mesh.trust_domain), clock, mesh.certificate.issuer_key))
        case Step.ROTATE:
            return await Rotating(client, clock).look(mesh)
        case Step.PREPARE:
            return await prepare(client, mesh, clock)
        case _:
            assert_never(asked.step)
