"""Asks again what the API server put off. Shell.

For commands, whose every call is somebody's who waits for it; processes have their own ways to come again (`backoff`).
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Final

from kube.backoff import LONGEST_ASKED
from kube.calls import Answer, Call
from kube.client import Connection
from kube.failures import refusal

_TRIES: Final = 10
"""As client-go's rest.Request has it."""
_TOO_MANY: Final = 429
"""Refused before it is looked at: by priority and fairness, or while the API server makes a kind's storage ready."""


@dataclass(frozen=True, slots=True)
class Patient:
    """A connection that, told to come again by an answer to a call that was not looked at, does."""

    connection: Connection
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep

    @property
    def address(self) -> str:
        return self.connection.address

    async def send(self, call: Call) -> Answer:
        """The first answer that is one, or the last of ten. Raises Unreachable."""
        for _ in range(_TRIES - 1):
            answer = await self.connection.send(call)
            seconds = _put_off(answer)
            if seconds is None:
                return answer
            await self.pause(seconds)
        return await self.connection.send(call)

    def lines(self, call: Call) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        return self.connection.lines(call)


def _put_off(answer: Answer) -> float | None:
    """Seconds after which to come again, or None for an answer that stands."""
    if answer.status != _TOO_MANY:
        return None
    asked = refusal(answer.status, answer.body, retry_after=answer.retry_after).retry_after
    return None if asked is None else min(asked, LONGEST_ASKED)
