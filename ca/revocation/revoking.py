"""Puts a certificate on the list and waits until a CRL says so. Shell."""

import asyncio
from typing import Final

from ca.revocation.crl import Revoked
from ca.revocation.storage import add, stored_register
from kube.client import Client
from proa.errors import Invalid

_PAUSE: Final = 0.5


async def revoke(client: Client, revoked: Revoked, seconds: float) -> None:
    """Raises Invalid where no leader has signed a CRL with it within *seconds*: it stands there for the next one."""
    register = await add(client, revoked)
    for _ in range(round(seconds / _PAUSE)):
        if any(each.serial_number == revoked.serial for crl in register.crls for each in crl):
            return
        await asyncio.sleep(_PAUSE)
        register = (await stored_register(client)).register
    raise Invalid(
        "the leader",
        f"no CRL with it in {seconds:.0f} seconds",
        "a pod of proa-ca that is ready; it signs one then",
    )
