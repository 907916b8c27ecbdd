"""What needs the root's key, without a process of its own: for tests of those who ask for it."""

from collections.abc import Awaitable, Callable

from ca.ceremony.asking import Ceremony
from ca.ceremony.performing import performed
from ca.custody import Keeper, nobody
from ca.storage import AGAIN, Issuing
from kube.client import Client
from proa.clock import Clock


def within(client: Client) -> Callable[[bytes], Awaitable[bytes]]:
    async def held(asked: bytes) -> bytes:
        return await performed(asked, client)

    return held


def ceremony(client: Client, clock: Clock) -> Ceremony:
    return Ceremony(within(client), clock)


def issuing(client: Client, clock: Clock, keeper: Keeper = nobody, again: float = AGAIN) -> Issuing:
    """Of a replica that waits for no leader."""
    return Issuing(ceremony(client, clock), keeper, again, others=0.0)
