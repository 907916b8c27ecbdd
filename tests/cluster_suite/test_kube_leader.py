"""Leadership between real processes at a real API server."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from support.kubectl import Kubectl
from support.severing import severable

pytestmark = pytest.mark.beside_others

LEASE_SECONDS = 15
PATIENCE = 60
"""Seconds for what takes one or two of a machine that does nothing else."""
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
        print("is up", flush=True)
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
        made = Candidate(process)
        await made.says("is up", PATIENCE)
        yield made
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.communicate()


async def test_who_is_stopped_hands_over_before_its_lease_runs_out_and_who_is_killed_when_it_did(
    namespace: Kubectl,
) -> None:
    config, own = namespace.kubeconfig, namespace.namespace
    async with candidate(config, own, "ann") as ann, candidate(config, own, "cid") as cid:
        leads, follows = (ann, cid) if await first(ann, cid) else (cid, ann)
        asked = leads.stop()
        await leads.says("stops", PATIENCE)
        assert await leads.process.wait() == 0
        # Two seconds, but for those in which the processes wait for others.
        assert await follows.says("starts", PATIENCE) - asked < LEASE_SECONDS - 5
        async with candidate(config, own, "bob") as bob:
            follows.stop(signal.SIGKILL)
            await follows.process.wait()
            renewed = written(namespace, "renewTime")
            await bob.says("starts", LEASE_SECONDS + PATIENCE)
            # Bob saw the renewal up to a pause after it was written, and looks once a pause.
            since = written(namespace, "acquireTime") - renewed
            assert timedelta(seconds=LEASE_SECONDS - 0.1) < since < timedelta(seconds=LEASE_SECONDS + 15)


async def test_who_loses_its_way_to_the_api_server_stops_before_another_starts(
    namespace: Kubectl, tmp_path: Path
) -> None:
    own = namespace.namespace
    async with severable(namespace) as line, candidate(line.kubeconfig(tmp_path), own, "ann") as ann:
        await ann.says("starts", PATIENCE)
        async with candidate(namespace.kubeconfig, own, "bob") as bob:
            line.hush()
            stopped, started = await asyncio.gather(ann.says("stops", PATIENCE), bob.says("starts", PATIENCE))
            assert stopped < started
            await line.mend()
            bob.stop()
            await bob.says("stops", PATIENCE)
            # It follows again, and is fit to lead a second time.
            await ann.says("starts", PATIENCE)


def written(namespace: Kubectl, time: str) -> datetime:
    """What the Lease says of *time*, by the clock of this machine."""
    return datetime.fromisoformat(namespace.json("lease", "test")["spec"][time])


async def first(ann: Candidate, other: Candidate) -> bool:
    """Whether *ann* is the one that leads first."""
    tasks = [asyncio.create_task(each.says("starts", PATIENCE)) for each in (ann, other)]
    done, waiting = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    return tasks[0] in done
