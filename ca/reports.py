"""What an admin has to mend, as an Event on the Secret and a line in the log, each at most once an hour. Shell."""

import asyncio
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final

import structlog

from ca.ceremony.messages import Told
from ca.stored import ISSUER_SECRET
from kube.client import Client
from kube.events import record
from kube.occurrences import Severity
from kube.until import until
from kube.waiting import waited
from proa.clock import Clock
from proa.json import Json
from proa.names import SYSTEM_NAMESPACE

AGAIN: Final = timedelta(hours=1)
_LAST_SECONDS: Final = 3.0
_MOST: Final = 50
"""Events that wait to be sent; further ones are logged alone."""
_SECRET: Final[Json] = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {"name": ISSUER_SECRET, "namespace": SYSTEM_NAMESPACE},
}


class Reports:
    """Takes what is wrong without letting anybody wait; its service sends the Events."""

    def __init__(self, client: Client, clock: Clock) -> None:
        self._client, self._clock = client, clock
        self._log = structlog.get_logger("ca")
        self._said: dict[tuple[str, str], datetime] = {}
        self._waiting: list[tuple[Json, str, str, Severity]] = []
        self._news = asyncio.Event()

    def warn(self, reason: str, message: str, about: Json = None) -> None:
        """*reason* in CamelCase, *message* with the remedy in it, about the Secret `proa-ca` unless told otherwise."""
        if self._is_new(reason, message):
            self._send(about, reason, message, "Warning")

    def tell(self, reason: str, message: str, about: Json = None) -> None:
        """Something changed for the better."""
        self._send(about, reason, message, "Normal")

    def say(self, told: Told) -> None:
        """What somebody else has found."""
        (self.warn if told.severity == "Warning" else self.tell)(told.reason, told.message)

    async def service(self, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            await until(stopping, self._record())
            await waited(stopping, self._news)
        # What is left is not worth the grace that a process has to end in: it is in the log too.
        with suppress(TimeoutError):
            async with asyncio.timeout(_LAST_SECONDS):
                await self._record()

    async def _record(self) -> None:
        while self._waiting:
            about, reason, message, kind = self._waiting[0]
            await record(self._client, about, reason, message, kind, self._clock)
            # Not before: one that was cut short is recorded again, and the API server counts it at most twice.
            del self._waiting[0]

    def _is_new(self, reason: str, message: str) -> bool:
        now = self._clock()
        self._said = {said: at for said, at in self._said.items() if now - at < AGAIN}
        known = (reason, message) in self._said
        self._said.setdefault((reason, message), now)
        return not known

    def _send(self, about: Json, reason: str, message: str, kind: Severity) -> None:
        if len(self._waiting) >= _MOST:
            self._log.warning("event not sent", reason=reason, message=message)
            return
        # On one line, as tables of Events show no more.
        self._waiting.append((about or _SECRET, reason, " ".join(message.split()), kind))
        self._news.set()
