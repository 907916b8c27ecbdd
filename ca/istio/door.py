"""The door for Istio's clients as a service: open while the mesh's configuration wants it. Shell.

What it takes is imported once it is wanted (docs/decisions/0030).
"""

import asyncio
from typing import TYPE_CHECKING, Final, NamedTuple

from ca.istio.metrics import Metrics
from ca.istio.quota import Rates
from ca.surroundings import Surroundings
from kube.waiting import waited
from proa.doors import IstioGrpc, WorkloadApiOfNodes
from proa.names import DISCOVERY_PORT, ISTIO_PORT, ISTIO_RENEWAL_PORT
from proa.rootsmap import revokes
from proa.running import LAG_SECONDS

if TYPE_CHECKING:
    from ca.istio.opening import Opening


class Addresses(NamedTuple):
    """Where to listen, as `host:port`: for callers with a token, and for callers with a certificate; and at which port
    of every address for who verifies JWT-SVIDs, where there are any."""

    tokens: str
    certificates: str
    discovery: int = DISCOVERY_PORT


EVERYWHERE: Final = Addresses(f"[::]:{ISTIO_PORT}", f"[::]:{ISTIO_RENEWAL_PORT}")
"""Of both families; grpcio takes IPv4 alone where the kernel has no IPv6."""
_CLOSED: Final = "the door of Istio's protocol is not open yet"


class IstioDoor:
    def __init__(
        self,
        around: Surroundings[Metrics],
        addresses: Addresses = EVERYWHERE,
        rates: Rates | None = None,
        lag: float = LAG_SECONDS,
    ) -> None:
        self._around, self._addresses, self._rates, self._lag = around, addresses, rates or Rates(), lag
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

    @property
    def discovery(self) -> int:
        """The port at which verifiers are answered; 0 where there is none."""
        return self._opening.discovery if self._opening else 0

    async def service(self, stopping: asyncio.Event) -> None:
        self._around.configuration.subscribe(lambda _: self._news.set())
        self._around.material.subscribe(self._issuers.set)
        while not stopping.is_set():
            if self._wanted():
                await self._open(stopping)
            else:
                await waited(stopping, self._news)

    async def _open(self, stopping: asyncio.Event) -> None:
        """Until nobody wants it any more, or wants it otherwise."""
        from ca.istio.opening import Opening  # noqa: PLC0415 - 11 MB that most authorities do without

        closing, wish = asyncio.Event(), self._wish()
        self._opening = Opening(self._around, self._addresses, self._rates, self._issuers)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._opening.service(closing))
                while self._wanted() and self._wish() == wish and not stopping.is_set():
                    await waited(stopping, self._news)
                if stopping.is_set():
                    await asyncio.sleep(self._lag)
                closing.set()
        finally:
            self._opening = None

    def _wish(self) -> tuple[object, ...]:
        """What it is opened by, beside `_wanted`."""
        mesh = self._around.configuration.current
        if mesh is None:
            return ()
        asked = mesh.authority.workload_api
        return asked, isinstance(asked, WorkloadApiOfNodes) and revokes(mesh)

    def _wanted(self) -> bool:
        mesh = self._around.configuration.current
        return mesh is not None and isinstance(mesh.authority.istio, IstioGrpc)
