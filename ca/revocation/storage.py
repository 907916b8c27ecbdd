"""The Secret `proa-ca-revocation`: read, written, and added to by whoever revokes. Shell."""

from dataclasses import dataclass, replace
from typing import Final

from ca.revocation.crl import Revoked
from ca.revocation.register import MOST_REVOKED, REVOCATION_SECRET, Register, register_of, register_secret
from kube.client import Client
from kube.failures import Conflict, NotFound
from kube.resources import SECRETS
from proa.errors import Invalid
from proa.json import Json
from proa.names import SYSTEM_NAMESPACE

_ATTEMPTS: Final = 5
_OFF: Final = "one: set authority.roots to {kind: config-maps, revocation: crl}, and wait until proa-ca has taken it up"


@dataclass(frozen=True, slots=True)
class Stored:
    """What stands there under the resourceVersion *version*, which is empty where there is no Secret."""

    register: Register
    version: str


async def stored_register(client: Client) -> Stored:
    """Raises ProaError."""
    try:
        return stored(await client.get(SECRETS, REVOCATION_SECRET, SYSTEM_NAMESPACE))
    except NotFound:
        return Stored(Register(), "")


def stored(secret: Json) -> Stored:
    """Of the Secret as the API server shows it. Raises Invalid."""
    match secret:
        case {"metadata": {"resourceVersion": str(version)}}:
            return Stored(register_of(secret), version)
        case _:
            raise Invalid(f"the Secret {REVOCATION_SECRET}", "none", "an object of the API server")


async def store(client: Client, register: Register, version: str) -> None:
    """Raises Conflict or AlreadyExists where somebody was faster."""
    if version:
        await client.replace(SECRETS, register_secret(register, version))
    else:
        await client.create(SECRETS, register_secret(register))


async def add(client: Client, revoked: Revoked) -> Register:
    """Put *revoked* on the list; the register with it. Raises ProaError."""
    for _ in range(_ATTEMPTS):
        found = await stored_register(client)
        register = _with(found.register, revoked)
        if not found.version:
            raise Invalid("the list of revoked certificates", "none", _OFF)
        try:
            if register != found.register:
                await store(client, register, found.version)
        except Conflict:
            continue
        return register
    raise Invalid(f"the Secret {REVOCATION_SECRET}", "changes of others all the time", "to be tried again")


def _with(register: Register, revoked: Revoked) -> Register:
    if any((each.serial, each.issuer) == (revoked.serial, revoked.issuer) for each in register.revoked):
        return register
    if len(register.revoked) >= MOST_REVOKED:
        allowed = f"at most {MOST_REVOKED} at once: where more keys are lost, rotate the root (proa ca rotate)"
        raise Invalid("revoked certificates", f"{len(register.revoked)}", allowed)
    return replace(register, revoked=(*register.revoked, revoked))
