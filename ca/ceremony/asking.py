"""Asks for a ceremony, one at a time. Shell. What it comes to, its process writes to the API server itself."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeAlias, TypeVar

import msgspec

from ca.ceremony.messages import Asked, Looked, Step, result_of
from proa.clock import Clock
from proa.mesh import MeshConfiguration

Holding: TypeAlias = Callable[[bytes], Awaitable[bytes]]
"""Holds the ceremony that is asked for and answers (`messages`). Raises CeremonyLost."""

_T = TypeVar("_T")


class Ceremony:
    """Every step raises CeremonyFailed and CeremonyLost. Who is cancelled while they wait ends the ceremony."""

    def __init__(self, holding: Holding, clock: Clock) -> None:
        self._holding, self._clock = holding, clock
        # Each is a process, with a process's memory.
        self._one = asyncio.Lock()

    async def create(self, mesh: MeshConfiguration) -> None:
        await self._held(Step.CREATE, mesh, type(None))

    async def renew(self, mesh: MeshConfiguration) -> str:
        """The next issuer's name and validity."""
        return await self._held(Step.RENEW, mesh, str)

    async def rotate(self, mesh: MeshConfiguration) -> Looked:
        return await self._held(Step.ROTATE, mesh, Looked)

    async def prepare(self, mesh: MeshConfiguration) -> int:
        """How many issuers wait now that did not before, each with its CRL."""
        return await self._held(Step.PREPARE, mesh, int)

    async def _held(self, step: Step, mesh: MeshConfiguration, kind: type[_T]) -> _T:
        async with self._one:
            answer = await self._holding(msgspec.json.encode(Asked(step, mesh, self._clock())))
        return result_of(answer, kind)
