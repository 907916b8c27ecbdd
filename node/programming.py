"""Has jobs done in pods' network namespaces, by children of the small process `node.forking`. Shell."""

import asyncio
import itertools
import socket
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

from kube.until import cancelled, until
from node.cni import ANNOTATION_REFUSED, KERNEL_REFUSED, TRY_AGAIN_LATER, CniRefused
from node.jobs import LONGEST, WAITING, Action, Job, Outcome, job_message, outcome
from node.readable import readable
from proa.capture.annotation import ANNOTATION

SECONDS: Final = 20.0
"""After which nobody waits for a job any more: longer than the kernel lets it live."""


class Programmer:
    """Made by `programmer`."""

    def __init__(self, channel: socket.socket, process: Process) -> None:
        self._channel, self._process = channel, process
        self._numbers, self._room = itertools.count(), asyncio.Semaphore(WAITING)
        self._waiting: dict[int, asyncio.Future[Outcome]] = {}
        self._jobs = set[asyncio.Task[Outcome | None]]()

    async def done(self, action: Action, annotation: str, place: int) -> Outcome:
        """How *action* went in the network namespace that is open as *place*. Raises CniRefused.

        `applied`, `verified` or `differs`: what a refusal of the annotation or of the kernel means is the same to all.
        """
        job = Job(next(self._numbers), action, annotation)
        message = job_message(job)
        if len(message) > LONGEST:
            raise _unusable(f"it is longer than {LONGEST} bytes")
        await self._room.acquire()
        match await asyncio.shield(self._started(job, message, place)):
            case None:
                raise CniRefused(TRY_AGAIN_LATER, "programming took too long", f"more than {SECONDS:g} s")
            case Outcome(how="refused", text=text):
                raise _unusable(text)
            case Outcome(how="failed", text=text):
                raise CniRefused(KERNEL_REFUSED, "the kernel did not take the rules", text)
            case found:
                return found

    async def service(self, stopping: asyncio.Event) -> None:
        """Until *stopping*; jobs are done as long as the small process is there. Raises RuntimeError if that ends."""
        await until(stopping, self._process.wait())
        if not stopping.is_set():
            raise RuntimeError(f"node.forking ended with {self._process.returncode}")

    async def ended(self) -> None:
        """Wait for no job any more."""
        await cancelled(*self._jobs)

    def _started(self, job: Job, message: bytes, place: int) -> asyncio.Task[Outcome | None]:
        """Takes *place* along at once: who asked may close it."""
        answered: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        try:
            # Blocking is no danger: the other end does nothing but read and fork, and what waits there is bounded.
            socket.send_fds(self._channel, (message,), (place,))
        except BaseException:
            self._room.release()
            raise
        self._waiting[job.number] = answered
        doing = asyncio.create_task(self._over(job.number, answered))
        self._jobs.add(doing)
        doing.add_done_callback(self._jobs.discard)
        return doing

    async def _over(self, number: int, answered: asyncio.Future[Outcome]) -> Outcome | None:
        """None if it took too long. The job has its room until then, also if who asked is gone: a child still does it,
        and what more is sent meanwhile would wait where nobody reads."""
        try:
            async with asyncio.timeout(SECONDS):
                return await answered
        except TimeoutError:
            return None
        finally:
            del self._waiting[number]
            self._room.release()

    async def hear(self) -> None:
        """Outcomes, until the small process is gone."""
        while True:
            await readable(self._channel)
            message = self._channel.recv(LONGEST)
            if not message:
                return
            found = outcome(message)
            answered = self._waiting.get(found.number)
            if answered is not None and not answered.done():
                answered.set_result(found)


def _unusable(why: str) -> CniRefused:
    return CniRefused(ANNOTATION_REFUSED, f"the annotation {ANNOTATION} is not usable", why)


@asynccontextmanager
async def programmer() -> AsyncGenerator[Programmer]:
    """The small process, for as long as it is used."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        command = (sys.executable, "-I", "-m", "node.forking", str(theirs.fileno()))
        process = await asyncio.create_subprocess_exec(*command, pass_fds=(theirs.fileno(),))
        theirs.close()
        made = Programmer(ours, process)
        hearing = asyncio.create_task(made.hear())
        try:
            yield made
        finally:
            await cancelled(hearing)
            await made.ended()
            ours.close()
            await process.wait()
