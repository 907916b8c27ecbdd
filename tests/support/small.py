"""The small process that does jobs in pods' networks, for which a test speaks."""

import asyncio
import os
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from kube.until import cancelled
from node.jobs import LONGEST, How, Job, Outcome, job, outcome_message
from node.programming import Programmer
from node.readable import readable


@dataclass
class Small:
    """*end* is the small process'."""

    programmer: Programmer
    end: socket.socket

    async def asked(self) -> list[Job]:
        """What it was asked, at least one."""
        await readable(self.end)
        return self.heard()

    def heard(self) -> list[Job]:
        found: list[Job] = []
        while True:
            try:
                message, opened, _, _ = socket.recv_fds(self.end, LONGEST, 1)
            except BlockingIOError:
                return found
            os.close(*opened)
            found.append(job(message))

    def answer(self, asked: Job, how: How) -> None:
        self.end.send(outcome_message(Outcome(asked.number, how)))


@asynccontextmanager
async def spoken_for() -> AsyncGenerator[Small]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        theirs.settimeout(0)
        process = await asyncio.create_subprocess_exec("sleep", "600")
        made = Programmer(ours, process)
        hearing = asyncio.create_task(made.hear())
        try:
            yield Small(made, theirs)
        finally:
            await cancelled(hearing)
            await made.ended()
            process.kill()
            await process.wait()
