"""An API server that tells a ceremony's process from whoever asked for it, and ends that process at a given write."""

import asyncio
import json
import os
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from aiohttp import web

from support.door import Requests

CHILD = "of-a-ceremony"
"""The token of its process; that of others is `of-a-test` (`support.api_server`)."""
SECRETS = "/api/v1/namespaces/proa-system/secrets"


def children() -> list[int]:
    """Processes of ours that have not ended, as the kernel tells."""
    return [int(each) for task in Path("/proc/self/task").iterdir() for each in _read(task / "children").split()]


def ceremonies() -> list[int]:
    return [each for each in children() if b"ca.ceremony" in of_process(each, "cmdline")]


def of_process(process: int, name: str) -> bytes:
    """What the kernel tells of it; nothing once it is gone."""
    return _read(Path(f"/proc/{process}/{name}"))


def _read(file: Path) -> bytes:
    with suppress(ProcessLookupError, FileNotFoundError):
        return file.read_bytes()
    return b""


class Watched(Requests):
    """*asked* is what came, with the token of who asked. *kills* is after how many writes of a ceremony's process it is
    killed at the next: before that is done, or, if it is *late*, when it is done and not answered. Negative: never."""

    def __init__(self) -> None:
        super().__init__(page=1000)
        self.asked = list[tuple[str, str]]()
        self.kills, self.late, self.killed = -1, False, 0
        self.meanwhile: Callable[[], Awaitable[None]] | None = None
        """Awaited at a ceremony's first request, before it is answered."""
        self.ceremonial: tuple[int, str] | None = None
        """Status and reason of the answer to all that a ceremony asks."""

    def kubeconfig_of(self, token: str, directory: Path) -> Path:
        document = json.loads(self.kubeconfig(directory).read_text())
        document["users"][0]["user"]["token"] = token
        written = directory / f"kubeconfig-{token}"
        written.write_text(json.dumps(document))
        return written

    def of(self, token: str) -> list[str]:
        return [asked for who, asked in self.asked if who == token]

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        who = request.headers.get("Authorization", "").removeprefix("Bearer ")
        self.asked.append((who, f"{request.method} {request.path_qs}"))
        if who != CHILD:
            return await super()._answer(request)
        if self.meanwhile is not None:
            meanwhile, self.meanwhile = self.meanwhile, None
            await meanwhile()
        if self.ceremonial is not None:
            before, self.refusing = self.refusing, (*self.ceremonial, {})
            try:
                return await super()._answer(request)
            finally:
                self.refusing = before
        return await self._until_killed(request)

    async def _until_killed(self, request: web.Request) -> web.StreamResponse:
        if request.method == "GET" or self.kills:
            self.kills -= request.method != "GET"
            return await super()._answer(request)
        answer: Any = await super()._answer(request) if self.late else None
        self.kills = -1
        for each in ceremonies():
            os.kill(each, signal.SIGKILL)
            self.killed += 1
        # It does not live to read this.
        await asyncio.sleep(0)
        return answer or web.Response(status=500)
