"""The door for Istio's clients as a service: open while the mesh's configuration wants it. Shell.

What it takes is imported once it is wanted (docs/decisions/0030).
"""

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from ca.istio.metrics import Metrics
from ca.istio.quota import Rates
from ca.storage import LiveMaterial
from ca.waiting import waited
from kube.client import Client
from kube.configuration import LiveConfiguration
from proa.clock import Clock
from proa.doors import IstioGrpc
from proa.names import ISTIO_PORT, ISTIO_RENEWAL_PORT

if TYPE_CHECKING:
    from ca.istio.opening import Opening


class Addresses(NamedTuple):
    """Where to listen, as `host:port`: for callers with a token, and for callers with a certificate."""

    tokens: str
    certificates: str


EVERYWHERE: Final = Addresses(f"[::]:{ISTIO_PORT}", f"[::]:{ISTIO_RENEWAL_PORT}")
"""Of both families; grpcio takes IPv4 alone where the kernel has no IPv6."""
_CLOSED: Final = "the door of Istio's protocol is not open yet"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the door is part of."""

    client: Client
    material: LiveMaterial
    configuration: LiveConfiguration
    clock: Clock
    metrics: Metrics


class IstioDoor:
    def __init__(self, around: Surroundings, addresses: Addresses = EVERYWHERE, rates: Rates | None = None) -> None:
        self._around, self._addresses, self._rates = around, addresses, rates or Rates()
        self._news, self._issuers = asyncio.Event(), asyncio.Event()
        self._opening: Opening | None = None

    @property
    def unready(self) -> str:
        """Empty where nobody wants it open, too."""
        if not self._wanted():
            return ""
        return self._opening.unready if self._opening else _CLOSED

    @property
    def bound(self) -> tuple[int, ...]:
        """The ports at which it is open."""
        return self._opening.bound if self._opening else ()

    async def service(self, stopping: asyncio.Event) -> None:
        self._around.configuration.subscribe(lambda _: self._news.set())
        self._around.material.subscribe(self._issuers.set)
        while not stopping.is_set():
            if self._wanted():
                await self._open(stopping)
            else:
                await waited(stopping, self._news)

    async def _open(self, stopping: asyncio.Event) -> None:
        """Until nobody wants it any more."""
        from ca.istio.opening import Opening  # noqa: PLC0415 - 11 MB that most authorities do without

        closing = asyncio.Event()
        self._opening = Opening(self._around, self._addresses, self._rates, self._issuers)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._opening.service(closing))
                while self._wanted() and not stopping.is_set():
                    await waited(stopping, self._news)
                closing.set()
        finally:
            self._opening = None

    def _wanted(self) -> bool:
        mesh = self._around.configuration.current
        return mesh is not None and isinstance(mesh.authority.istio, IstioGrpc)
