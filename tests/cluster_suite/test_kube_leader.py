"""Leadership between real processes at a real API server."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from support.kubectl import Kubectl
from support.severing import severable

pytestmark = pytest.mark.beside_others

LEASE_SECONDS = 15
PROGRAM = """
import asyncio, sys
from pathlib import Path
from kube.client import connected
from kube.leader import led
from proa.running import run_until_stopped
from proa.telemetry import configure_logging

async def serve(stopping):
    print("starts", flush=True)
    await stopping.wait()
    print("stops", flush=True)

async def main(kubeconfig, namespace, identity):
    async with connected(Path(kubeconfig)) as client:
        await run_until_stopped(led(client, "test", namespace, identity, serve))

configure_logging()
asyncio.run(main(*sys.argv[1:]))
"""


class Candidate:
    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def says(self, word: str, seconds: float) -> float:
        """When it says *word*, which it must within *seconds*."""
        assert self.process.stdout is not None
        async with asyncio.timeout(seconds):
            assert (await self.process.stdout.readline()).decode().strip() == word
        return asyncio.get_running_loop().time()

    def stop(self, how: signal.Signals = signal.SIGTERM) -> float:
        self.process.send_signal(how)
        return asyncio.get_running_loop().time()


@asynccontextmanager
async def candidate(kubeconfig: Path, namespace: str, identity: str) -> AsyncIterator[Candidate]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PROGRAM, kubeconfig, namespace, identity,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield Candidate(process)
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.communicate()


async def test_who_is_stopped_hands_over_in_less_than_three_seconds_and_who_is_killed_when_its_lease_ran_out(
    namespace: Kubectl,
) -> None:
    config, own = namespace.kubeconfig, namespace.namespace
    async with candidate(config, own, "ann") as ann, candidate(config, own, "cid") as cid:
        leads, follows = (ann, cid) if await first(ann, cid) else (cid, ann)
        asked = leads.stop()
        await leads.says("stops", 3)
        assert await leads.process.wait() == 0
        assert await follows.says("starts", 3) - asked < 3
        async with candidate(config, own, "bob") as bob:
            killed = follows.stop(signal.SIGKILL)
            taken = await bob.says("starts", LEASE_SECONDS + 10)
            # What it renewed last was up to a pause before it was killed; bob looks once a pause.
            assert LEASE_SECONDS - 3 < taken - killed < LEASE_SECONDS + 6


async def test_who_loses_its_way_to_the_api_server_stops_before_another_starts(
    namespace: Kubectl, tmp_path: Path
) -> None:
    own = namespace.namespace
    async with severable(namespace) as line, candidate(line.kubeconfig(tmp_path), own, "ann") as ann:
        await ann.says("starts", 20)
        async with candidate(namespace.kubeconfig, own, "bob") as bob:
            line.hush()
            stopped, started = await asyncio.gather(ann.says("stops", 20), bob.says("starts", 40))
            assert stopped < started
            await line.mend()
            bob.stop()
            await bob.says("stops", 3)
            # It follows again, and is fit to lead a second time.
            await ann.says("starts", 20)


async def first(ann: Candidate, other: Candidate) -> bool:
    """Whether *ann* is the one that leads first."""
    tasks = [asyncio.create_task(each.says("starts", 20)) for each in (ann, other)]
    done, waiting = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    return tasks[0] in done
