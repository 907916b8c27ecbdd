"""Asks the leader for a rotation, or for its end, and waits until it has taken notice. Shell."""

import asyncio
from typing import Final

from ca.phases import WISH, Phase, Wish, record_of, wish_of, written
from ca.stored import ISSUER_SECRET
from kube.client import Client
from kube.resources import SECRETS, Key
from proa.errors import Invalid
from proa.json import Json
from proa.names import SYSTEM_NAMESPACE

_MANAGER: Final = "proa"
_PAUSE: Final = 0.5


async def wish(client: Client, wanted: Wish, seconds: float) -> Phase:
    """Write *wanted*; the phase that came of it. Raises Invalid if no leader has looked at it within *seconds*, after
    which it still stands for the next one."""
    patch: Json = {"metadata": {"annotations": {WISH: written(wanted)}}}
    await client.merge(SECRETS, Key(SYSTEM_NAMESPACE, ISSUER_SECRET), patch, _MANAGER)
    for _ in range(round(seconds / _PAUSE)):
        secret = await client.get(SECRETS, ISSUER_SECRET, SYSTEM_NAMESPACE)
        if wish_of(secret) is None:
            return record_of(secret).phase
        await asyncio.sleep(_PAUSE)
    raise Invalid(
        "the leader", f"no answer in {seconds:.0f} seconds", "a pod of proa-ca that is ready; it will do it then"
    )
