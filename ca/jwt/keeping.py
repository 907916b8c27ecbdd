"""Keeps the keys that sign JWT-SVIDs: makes the next one, removes a former one, each in its time. Shell. The leader's.

Who deletes the Secret has another key made, which signs at once, and every token of before is worth nothing.
"""

from dataclasses import dataclass
from typing import Final

from ca.duty import ConfiguredDuty, Looking
from ca.jwt.keys import Keep, Keys, Make, Rest, SigningKey, step
from ca.jwt.stored import JWT_SECRET, keys_secret, stored_keys
from ca.randomness import new_key
from ca.surroundings import Surroundings
from kube.calls import Selection, Selectors
from kube.client import Client
from kube.failures import AlreadyExists, Conflict, NotFound
from kube.index import Index
from kube.resources import SECRETS
from proa.doors import issuer
from proa.errors import ProaError
from proa.json import Json
from proa.mesh import MeshConfiguration
from proa.names import SYSTEM_NAMESPACE
from proa.trees import members, text

NAMED: Final = Selection(SYSTEM_NAMESPACE, Selectors(field=f"metadata.name={JWT_SECRET}"))
_AGAIN: Final = 15.0
_LONGEST: Final = 3600.0


@dataclass(frozen=True, slots=True)
class Stored:
    """*version* is the Secret's, empty where there is none."""

    keys: Keys
    version: str


def stored(secret: Json) -> Stored:
    """Raises Invalid."""
    return Stored(stored_keys(secret), text(members(secret, "metadata"), "resourceVersion"))


def jwt_keys(around: Surroundings[None]) -> ConfiguredDuty:
    """The leader's duty, while the configuration wants JWT-SVIDs."""

    def begin(mesh: MeshConfiguration) -> Looking | None:
        if not issuer(mesh.authority):
            return None
        return Looking(Index[Stored](around.client, SECRETS, NAMED, stored), Keeping(around).look)

    return ConfiguredDuty(around.configuration, around.material, begin, lambda: None)


@dataclass(frozen=True, slots=True)
class Keeping:
    around: Surroundings[None]

    async def look(self) -> float:
        """Do what is due; the seconds until something may be."""
        try:
            found = await _read(self.around.client)
            return await self._done(found)
        except (Conflict, AlreadyExists):
            return 0.0
        except ProaError as error:
            self.around.reports.warn("JwtKeysNotKept", f"Secret {JWT_SECRET}: {error}")
            return _AGAIN

    async def _done(self, found: Stored) -> float:
        now = self.around.clock()
        match step(found.keys, now):
            case Rest(until):
                return min(max((until - now).total_seconds(), 1.0), _LONGEST)
            case Make():
                keys = (*found.keys, SigningKey(now.replace(microsecond=0), new_key()))
            case Keep(kept):
                keys = kept
        if found.version:
            await self.around.client.replace(SECRETS, keys_secret(keys, found.version))
        else:
            await self.around.client.create(SECRETS, keys_secret(keys))
        return 0.0


async def _read(client: Client) -> Stored:
    try:
        return stored(await client.get(SECRETS, JWT_SECRET, SYSTEM_NAMESPACE))
    except NotFound:
        return Stored((), "")
