"""Whether the API server could call this replica, tested every few seconds by calling it in the same way. Shell.

The test calls this process and not the Service: see docs/decisions/0008. A call through the Service is measured only.
"""

import asyncio
import ssl
from collections.abc import Callable
from typing import Final

import structlog

from kube.index import Index
from kube.until import until
from webhook.calling import anonymous, problem_of_calling
from webhook.metrics import Metrics
from webhook.selftest import Target, Uncallable, targets
from webhook.serving import waited
from webhook.trust import Registration

NOT_TESTED: Final = "the self-test has not run yet"
_SECONDS: Final = 5.0
_FIRST_SECONDS: Final = 0.5
"""Until it passes for the first time: a pod's readiness waits for it."""
_TOLERATED: Final = 2
"""Failures in a row of a replica that has passed before: a machine may stall, and a rotation take a moment."""
_ROUNDS_A_SERVICE_CALL: Final = 6


class Standing:
    """What the last tests found."""

    def __init__(
        self,
        name: str,
        registrations: Index[Registration],
        port: int,
        able: Callable[[], bool],
        metrics: Metrics,
        certified: Callable[[ssl.SSLContext], None] = anonymous,
    ) -> None:
        """*registrations* has the one of that *name*; *port* is where this process listens; until it is *able* to
        answer there is nothing to test. *certified* has the test show the client's certificate that this process asks
        for, if it does; other replicas know another, so that a call through the Service may be refused there.
        """
        self._certified = certified
        self._name, self._registrations, self._port = name, registrations, port
        self._able, self._metrics = able, metrics
        self._failures = _TOLERATED
        self.problem: str | None = NOT_TESTED
        """Why the API server could not call this replica; None where it could."""

    async def service(self, stopping: asyncio.Event) -> None:
        """Tests until it is stopped, from when it is known what the registration is."""
        await until(stopping, self._registrations.synced.wait())
        rounds = 0
        while not stopping.is_set():
            if self._able():
                await self.test()
            if self.problem is None and rounds % _ROUNDS_A_SERVICE_CALL == 0:
                await self._call_service()
            rounds += self.problem is None
            await waited(stopping, _SECONDS if self.problem is None else _FIRST_SECONDS)

    async def test(self) -> None:
        """Calls this process once for each way in which its registration would have it called."""
        problem = await self._found()
        if problem is None:
            self._passed()
        else:
            self._failed(problem)

    async def _found(self) -> str | None:
        try:
            for target in self._targets():
                await self._call(target)
        except Uncallable as error:
            return str(error)
        return None

    async def _call(self, target: Target) -> None:
        problem = await problem_of_calling(target, "127.0.0.1", self._port, self._certified)
        if problem is not None:
            raise Uncallable(self._name, problem)

    def _targets(self) -> tuple[Target, ...]:
        found = self._registrations.get(None, self._name)
        if found is None:
            raise Uncallable(self._name, "it does not exist")
        return targets(found)

    def _passed(self) -> None:
        if self.problem is not None:
            structlog.get_logger("webhook").info("self-test passed", registration=self._name)
        self._failures, self.problem = 0, None
        self._metrics.tested(passed=True)

    def _failed(self, problem: str) -> None:
        self._failures += 1
        self._metrics.tested(passed=False)
        if self._failures > _TOLERATED and problem != self.problem:
            structlog.get_logger("webhook").warning("self-test failed", error=problem)
            self.problem = problem

    async def _call_service(self) -> None:
        try:
            problems = [await problem_of_calling(target, target.host, target.port) for target in self._targets()]
        except Uncallable:
            # The registration was taken away since: the next tests say so.
            problems = ["nothing to call"]
        self._metrics.called_service(passed=not any(problems))
