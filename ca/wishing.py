"""Asks the leader for a rotation, or for its end, and waits until it has taken notice. Shell."""

import asyncio
from typing import Final

from ca.phases import WISH, Phase, Wish, name_of, record_of, wish_of, written
from ca.stored import ISSUER_SECRET
from kube.client import Client
from kube.resources import SECRETS, Key
from proa.errors import Invalid
from proa.json import Json
from proa.names import SYSTEM_NAMESPACE

_MANAGER: Final = "proa"
_PAUSE: Final = 0.5


async def wish(client: Client, wanted: Wish, before: Phase, seconds: float) -> Phase:
    """Write *wanted*; the phase that came of it, which was *before*. Raises Invalid if the leader declines, and if none
    has looked at it within *seconds*, after which it still stands for the next one."""
    patch: Json = {"metadata": {"annotations": {WISH: written(wanted)}}}
    await client.merge(SECRETS, Key(SYSTEM_NAMESPACE, ISSUER_SECRET), patch, _MANAGER)
    for _ in range(round(seconds / _PAUSE)):
        secret = await client.get(SECRETS, ISSUER_SECRET, SYSTEM_NAMESPACE)
        if wish_of(secret) is None:
            return _taken_up(record_of(secret).phase, before)
        await asyncio.sleep(_PAUSE)
    raise Invalid(
        "the leader", f"no answer in {seconds:.0f} seconds", "a pod of proa-ca that is ready; it will do it then"
    )


def _taken_up(phase: Phase, before: Phase) -> Phase:
    if phase == before:
        said = f"kubectl get events -n {SYSTEM_NAMESPACE} --field-selector=reason=RotationDeclined"
        raise Invalid("the leader", f"declined; the rotation is {name_of(phase)} still", f"what it says in {said}")
    return phase
