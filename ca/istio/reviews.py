"""Asks the API server whose a token is: once for all who show it, seldom again, never too often at a time. Shell.

A token is kept as its SHA-256 alone. What is remembered of a caller is who it was: that its pod and its account still
live is looked up at every request, so that a minute's memory lets nobody in who is gone.
"""

import asyncio
import hashlib
from typing import Final, TypeAlias

from ca.istio.asked import Address, PodToken
from ca.istio.limits import Limits, Rate
from ca.istio.memory import Memory
from ca.istio.token import hopeless, proven, question
from ca.istio.verdict import Code, Refuse
from kube.client import Client
from kube.failures import ApiRefused
from kube.resources import TOKEN_REVIEWS
from proa.clock import Clock
from proa.errors import ProaError

AT_ONCE: Final = 32
"""Questions under way; more would only queue in the API server, before everybody else's."""
WAITING: Final = 256
"""Questions asked or about to be: beyond them callers are put off."""
REMEMBERED: Final = 60.0
FORGIVEN: Final = 10.0
"""Seconds for which a refused token is refused without asking."""
KNOWN: Final = 20_000
REFUSED: Final = 5_000
"""Their own room, so that no flood of bad tokens drives out the good ones."""
BY_ADDRESS: Final = Rate(100, 0.05)
"""New tokens from one address: a node's worth of pods at once, then 20 a second."""

_Mark: TypeAlias = tuple[bytes, tuple[str, ...]]


class Reviews:
    """Who the holders of tokens are. *by_address* bounds how often one address may show a token not seen before."""

    def __init__(self, client: Client, clock: Clock, by_address: Rate = BY_ADDRESS) -> None:
        self._client, self._clock = client, clock
        self._known = Memory[_Mark, PodToken](KNOWN)
        self._refused = Memory[_Mark, Refuse](REFUSED)
        self._under_way: dict[_Mark, asyncio.Task[PodToken | Refuse]] = {}
        self._room = asyncio.Semaphore(AT_ONCE)
        self._addresses = Limits(by_address)

    async def caller(self, token: str, audiences: tuple[str, ...], address: Address | None) -> PodToken | Refuse:
        if refused := hopeless(token, audiences, self._clock()):
            return refused
        mark, now = (hashlib.sha256(token.encode()).digest(), audiences), _now()
        if remembered := self._known.get(mark, now) or self._refused.get(mark, now):
            return remembered
        task = self._under_way.get(mark)
        if task is None:
            if busy := self._busy(address, now):
                return busy
            task = self._under_way[mark] = asyncio.create_task(self._ask(token, mark))
            task.add_done_callback(lambda _: self._under_way.pop(mark, None))
        # Whoever gives up does so alone: others wait for the same answer.
        return await asyncio.shield(task)

    def _busy(self, address: Address | None, now: float) -> Refuse | None:
        if len(self._under_way) >= WAITING:
            return Refuse(Code.RESOURCE_EXHAUSTED, "ReviewsBusy", "too many tokens wait for their review", 1.0)
        if wait := self._addresses.wait(address, now):
            return Refuse(Code.RESOURCE_EXHAUSTED, "AddressTooOften", "too many new tokens from this address", wait)
        return None

    async def _ask(self, token: str, mark: _Mark) -> PodToken | Refuse:
        audiences = mark[1]
        try:
            async with self._room:
                answer = await self._client.create(TOKEN_REVIEWS, question(token, audiences))
        except ProaError as error:
            # Theirs or ours, never the caller's fault.
            after = error.retry_after if isinstance(error, ApiRefused) else None
            return Refuse(Code.UNAVAILABLE, "ReviewFailed", str(error), after or 0.0)
        found = proven(answer, audiences)
        if isinstance(found, PodToken):
            self._known.put(mark, found, _now() + REMEMBERED)
        elif found.code is Code.UNAUTHENTICATED:
            self._refused.put(mark, found, _now() + FORGIVEN)
        return found


def _now() -> float:
    return asyncio.get_running_loop().time()
