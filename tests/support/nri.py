"""A container runtime that tells of sandboxes by NRI: containerd's own code for it, without the rest of containerd."""

import asyncio
import json
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from launcher import builds
from support.nodes import PATIENCE, Pod

SECONDS = 20.0
"""How long it waits for a plugin's answer: containerd does so for two, which a busy machine may take."""


class Runtime:
    """At *socket*, while it runs."""

    def __init__(self, program: builds.Program, socket: Path, seconds: float = SECONDS) -> None:
        self.socket = socket
        self._command = (str(builds.built(program)), str(socket), str(round(seconds * 1000)))
        self._process: Process | None = None
        self._synchronized = asyncio.Queue[dict[str, Any]]()
        self._answers = asyncio.Queue[dict[str, Any]]()
        self._reading: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._process = await asyncio.create_subprocess_exec(*self._command, stdin=PIPE, stdout=PIPE)
        self._reading = asyncio.create_task(self._read(self._process))

    async def stop(self) -> None:
        if self._process is not None and self._reading is not None:
            self._process.kill()
            await self._process.wait()
            await self._reading
            self._process = None

    async def synchronized(self) -> None:
        """A plugin has been told of the sandboxes that there are, once more."""
        async with asyncio.timeout(PATIENCE):
            told = await self._synchronized.get()
        assert "error" not in told, told

    async def run(self, pod: Pod, pid: int, **changed: str) -> str:
        """What fails when *pod*'s sandbox starts, whose first process is *pid*; "" if nothing does."""
        return await self._tell("run", pod, pid, **changed)

    async def gone(self, pod: Pod) -> str:
        """What fails when its sandbox stops."""
        return await self._tell("stop", pod, 0)

    async def _tell(self, what: str, pod: Pod, pid: int, **changed: str) -> str:
        assert self._process is not None
        assert self._process.stdin is not None
        named = {name: pod["metadata"][name] for name in ("name", "namespace", "uid")} | changed
        line = json.dumps({"do": what, "pod": {**named, "id": named["uid"], "pid": pid}})
        self._process.stdin.write(f"{line}\n".encode())
        async with asyncio.timeout(PATIENCE):
            return (await self._answers.get()).get("error", "")

    async def _read(self, process: Process) -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            told = json.loads(line)
            (self._synchronized if "synchronized" in told else self._answers).put_nowait(told)


@asynccontextmanager
async def running_runtime(program: builds.Program, socket: Path, seconds: float = SECONDS) -> AsyncIterator[Runtime]:
    made = Runtime(program, socket, seconds)
    await made.start()
    try:
        yield made
    finally:
        await made.stop()
