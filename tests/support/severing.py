"""A way to the real API server that can be cut, and can go silent, as networks do."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

from support.kubectl import Kubectl
from support.ports import free_ports


class Line:
    """Forwards connections to the API server of a kubeconfig, unread: TLS goes through to the real one."""

    def __init__(self, kubectl: Kubectl) -> None:
        self._document = json.loads(kubectl("config", "view", "--raw", "--flatten", "--minify", "--output=json"))
        self._cluster = self._document["clusters"][0]["cluster"]
        address = urlsplit(self._cluster["server"])
        self._host, self._target = address.hostname or "", address.port or 443
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._passing: set[asyncio.Task[None]] = set()
        self._audible = asyncio.Event()
        self.port = 0

    async def mend(self) -> None:
        self._audible.set()
        if self._server is None:
            self.port = self.port or free_ports(1)[0]
            self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)

    async def cut(self) -> None:
        """Break every connection and take no new one."""
        assert self._server is not None
        self._server.close()
        self._server = None
        self._audible.set()
        for writer in tuple(self._open):
            writer.transport.abort()

    def hush(self) -> None:
        """Take everything, pass on nothing: nobody is told that the way is dead."""
        self._audible.clear()

    def kubeconfig(self, directory: Path) -> Path:
        """One whose way to the cluster is this one. TLS proves the real server as before."""
        ours = {**self._cluster, "server": f"https://127.0.0.1:{self.port}", "tls-server-name": self._host}
        clusters = [{**self._document["clusters"][0], "cluster": ours}]
        written = directory / "severed-kubeconfig"
        written.write_text(json.dumps({**self._document, "clusters": clusters}))
        written.chmod(0o600)
        return written

    async def end(self) -> None:
        if self._server is not None:
            await self.cut()
        await asyncio.gather(*self._passing, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._forward(reader, writer))
        self._passing.add(task)
        task.add_done_callback(self._passing.discard)

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            there, back = await asyncio.open_connection(self._host, self._target)
            ends = {writer, back}
            self._open |= ends
            try:
                await asyncio.gather(self._pass(reader, back), self._pass(there, writer))
            finally:
                self._open -= ends
                for end in ends:
                    end.transport.abort()

    async def _pass(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while chunk := await source.read(65536):
            await self._audible.wait()
            sink.write(chunk)
            await sink.drain()
        sink.close()


@asynccontextmanager
async def severable(kubectl: Kubectl) -> AsyncGenerator[Line]:
    line = Line(kubectl)
    await line.mend()
    try:
        yield line
    finally:
        await line.end()
