"""A server that speaks as much of the Kubernetes API as failures need, which a real one does not give on demand.

Objects with resourceVersions, lists in pages, watches with bookmarks, and on request: outages, compaction, breaks.
"""

import asyncio
import json
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import web

_PATH = re.compile(
    r"/(?:api|apis/(?P<group>[^/]+))/v1(?:/namespaces/(?P<ns>[^/]+))?/(?P<plural>[a-z]+)(?:/(?P<name>[^/]+))?"
)


def status(code: int, reason: str, message: str = "as the test wants it") -> dict[str, Any]:
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "code": code,
        "reason": reason,
        "message": message,
    }


class ApiServer:
    """*requests* are those that came, as `GET /path?query`. *page* is how many objects a page of a list has."""

    def __init__(self, page: int = 2) -> None:
        self.page, self.requests = page, list[str]()
        self.refusing: tuple[int, str, dict[str, str]] | None = None
        """Status, reason and headers of the answer to everything."""
        self.withholding = "nothing"
        """A kind's plural: what is asked of it is answered by 503."""
        self.port = 0
        self._objects: dict[str, dict[str, Any]] = {}
        self._history: list[tuple[int, str, str, dict[str, Any]]] = []
        self._version, self._oldest = 100, 0
        self._moved = asyncio.Condition()
        self._breaking = 0
        self.breaks_properly = False
        """Whether `send_away` ends answers as HTTP wants it, though in the middle of a line."""
        self._runner: web.AppRunner | None = None

    # What the cluster does.

    async def put(self, path: str, **content: Any) -> dict[str, Any]:
        """Write an object at the path of its own."""
        found = _PATH.fullmatch(path)
        assert found is not None
        old = self._objects.get(path)
        metadata = {"name": found["name"], "uid": f"uid-of-{found['name']}"}
        metadata |= {"namespace": found["ns"]} if found["ns"] else {}
        metadata |= content.pop("metadata", {})
        return await self._write("MODIFIED" if old else "ADDED", path, {"metadata": metadata, **content})

    async def remove(self, path: str) -> None:
        await self._write("DELETED", path, self._objects[path])
        del self._objects[path]

    async def mark(self) -> None:
        """Send a bookmark to every watch."""
        await self._write("BOOKMARK", "", {})

    def forget(self) -> None:
        """Compact: no watch can start from before now."""
        self._oldest = self._version

    async def send_away(self) -> None:
        """End every watch in the middle of a line."""
        async with self._moved:
            self._breaking += 1
            self._moved.notify_all()

    # What the server does.

    async def start(self) -> None:
        self._runner = web.AppRunner(self._application(), access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Nobody listens any more, until `start`."""
        assert self._runner is not None
        await self.send_away()
        await self._runner.cleanup()

    def kubeconfig(self, directory: Path) -> Path:
        written = directory / "kubeconfig"
        written.write_text(kubeconfig(f"http://127.0.0.1:{self.port}"))
        return written

    def _application(self) -> web.Application:
        served = web.Application()
        served.router.add_route("*", "/{rest:.*}", self._answer)
        return served

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(f"{request.method} {request.path_qs}")
        if self.refusing is not None:
            code, reason, headers = self.refusing
            return web.json_response(status(code, reason), status=code, headers=headers)
        if f"/{self.withholding}" in request.path:
            return _refused(503, "ServiceUnavailable")
        if "watch" in request.query:
            return await self._watch(request)
        found = _PATH.fullmatch(request.path)
        assert found is not None, request.path
        if request.method == "GET":
            return self._get(request.path) if found["name"] else self._list(request)
        return await self._change(request.method, request.path, await request.json())

    async def _change(self, method: str, path: str, body: dict[str, Any]) -> web.Response:
        match method:
            case "POST":
                return await self._create(f"{path}/{body['metadata']['name']}", body)
            case "PUT":
                return await self._replace(path, body)
            case "PATCH":
                # A merge patch of the top level or an application of all of it, which is all that is asked of this one.
                return web.json_response(await self._write("MODIFIED", path, {**self._objects.get(path, {}), **body}))
            case _:
                await self.remove(path)
                return web.json_response(status(200, "Success"))

    def _get(self, path: str) -> web.Response:
        found = self._objects.get(path)
        return web.json_response(found) if found else _refused(404, "NotFound")

    def _list(self, request: web.Request) -> web.Response:
        every = [each for path, each in sorted(self._objects.items()) if _within(path, request)]
        start = int(request.query.get("continue", "0"))
        end = start + self.page
        metadata = {"resourceVersion": str(self._version)} | ({"continue": str(end)} if end < len(every) else {})
        return web.json_response({"kind": "List", "metadata": metadata, "items": every[start:end]})

    async def _create(self, path: str, body: dict[str, Any]) -> web.Response:
        if path in self._objects:
            return _refused(409, "AlreadyExists")
        return web.json_response(await self._write("ADDED", path, body))

    async def _replace(self, path: str, body: dict[str, Any]) -> web.Response:
        if path not in self._objects:
            return _refused(404, "NotFound")
        if self._objects[path]["metadata"]["resourceVersion"] != body["metadata"].get("resourceVersion"):
            return _refused(409, "Conflict")
        return web.json_response(await self._write("MODIFIED", path, body))

    async def _write(self, kind: str, path: str, item: dict[str, Any]) -> dict[str, Any]:
        async with self._moved:
            self._version += 1
            item = {**item, "metadata": {**item.get("metadata", {}), "resourceVersion": str(self._version)}}
            if path:
                self._objects[path] = item
            self._history.append((self._version, kind, path, item))
            self._moved.notify_all()
        return item

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        since, breaking = int(request.query["resourceVersion"]), self._breaking
        answer = web.StreamResponse()
        await answer.prepare(request)
        if since < self._oldest:
            await answer.write(_line("ERROR", status(410, "Expired")))
            return answer
        while breaking == self._breaking:
            for version, kind, path, item in list(self._history):
                if version > since and (not path or _within(path, request)):
                    await answer.write(_line(kind, item))
                since = max(since, version)
            async with self._moved:
                if self._version <= since and breaking == self._breaking:
                    await self._moved.wait()
        await answer.write(b'{"type": "MODIF')
        if not self.breaks_properly:
            assert request.transport is not None
            request.transport.abort()
        return answer


@asynccontextmanager
async def running_api_server(page: int = 2) -> AsyncGenerator[ApiServer]:
    server = ApiServer(page)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


def kubeconfig(server: str, **cluster: Any) -> str:
    """A kubeconfig, as JSON, which is YAML too."""
    named = {"name": "test", "cluster": {"server": server, **cluster}}
    context = {"name": "test", "context": {"cluster": "test", "user": "test"}}
    user = {"name": "test", "user": {"token": "of-a-test"}}
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "clusters": [named],
            "contexts": [context],
            "users": [user],
        }
    )


def _within(path: str, request: web.Request) -> bool:
    """Whether the object at *path* is of the collection that *request* asks for, and of its field selector."""
    asked, item = _PATH.fullmatch(request.path), _PATH.fullmatch(path)
    assert asked is not None
    assert item is not None
    same = asked["plural"] == item["plural"] and asked["ns"] in (None, item["ns"])
    return (
        same and request.query.get("fieldSelector", f"metadata.name={item['name']}") == f"metadata.name={item['name']}"
    )


def _refused(code: int, reason: str) -> web.Response:
    return web.json_response(status(code, reason), status=code)


def _line(kind: str, item: dict[str, Any]) -> bytes:
    return json.dumps({"type": kind, "object": item}).encode() + b"\n"
