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

from support.ports import free_ports

_PATH = re.compile(
    r"/(?:api|apis/(?P<group>[^/]+))/v1(?:/namespaces/(?P<ns>[^/]+))?/(?P<plural>[a-z]+)(?:/(?P<name>[^/]+))?"
)

_DESCRIBED = re.compile(r"/apis/certificates\.k8s\.io/(v1|v1beta1)")
ASKED_FOR = web.RequestKey("asked_for", str)
_VERSIONED = re.compile(
    r"(/apis/certificates\.k8s\.io)/(v1|v1beta1)(/(?:.*/)?(podcertificaterequests|clustertrustbundles)(?:/.*)?)"
)

_FIRST = 100
"""The version before the first change."""


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
        self.versions: dict[str, tuple[str, ...]] = {
            "podcertificaterequests": ("v1", "v1beta1"),
            "clustertrustbundles": ("v1", "v1beta1"),
        }
        """In which of certificates.k8s.io these are served; they are stored, and written by `put`, as v1."""
        self.port = 0
        self._objects: dict[str, dict[str, Any]] = {}
        self._history: list[tuple[int, str, str, dict[str, Any]]] = []
        self._version, self._oldest = _FIRST, 0
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

    def objects(self, plural: str) -> list[dict[str, Any]]:
        """All that there are of a kind."""
        found = ((_PATH.fullmatch(path), item) for path, item in self._objects.items())
        return [item for match, item in found if match and match["plural"] == plural]

    def found(self, path: str) -> dict[str, Any]:
        """The object at the path of its own; empty if there is none."""
        return self._objects.get(path, {})

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
        if not self.port:
            (self.port,) = free_ports(1)
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True)
        await site.start()

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
        @web.middleware
        async def by_version(request: web.Request, handler: Any) -> web.StreamResponse:
            return await self._by_version(request, handler)

        served = web.Application(middlewares=[by_version])
        served.router.add_route("*", "/{rest:.*}", self._answer)
        return served

    async def _by_version(self, request: web.Request, handler: Any) -> web.StreamResponse:
        """Which version it was asked for by is `request[ASKED_FOR]`."""
        if described := _DESCRIBED.fullmatch(request.path):
            names = [name for name, versions in self.versions.items() if described[1] in versions]
            return web.json_response({"resources": [{"name": name} for name in names]})
        if found := _VERSIONED.fullmatch(request.path):
            if found[2] not in self.versions[found[4]]:
                return _refused(404, "NotFound")
            request[ASKED_FOR], stored = found[2], f"{found[1]}/v1{found[3]}"
            request = request.clone(rel_url=request.rel_url.with_path(stored, keep_query=True))
        return await handler(request)

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
        body = await request.json()
        if is_of_another_version(body, request):
            return _refused(400, "BadRequest")
        return await self._change(request.method, request.path, body)

    async def _change(self, method: str, path: str, body: dict[str, Any]) -> web.Response:
        match method:
            case "POST":
                return await self._create(f"{path}/{body['metadata']['name']}", body)
            case "PUT":
                return await self._replace(path, body)
            case "PATCH":
                # A merge patch, or an application of all of it, which comes to the same here.
                return web.json_response(
                    await self._write("MODIFIED", path, _merged(self._objects.get(path, {}), body))
                )
            case _:
                await self.remove(path)
                return web.json_response(status(200, "Success"))

    def _get(self, path: str) -> web.Response:
        found = self._objects.get(path)
        return web.json_response(found) if found else _refused(404, "NotFound")

    def _list(self, request: web.Request) -> web.Response:
        every = [each for path, each in sorted(self._objects.items()) if _within(path, each, request)]
        start = int(request.query.get("continue", "0"))
        end = start + self.page
        metadata = {"resourceVersion": str(self._version)} | ({"continue": str(end)} if end < len(every) else {})
        return web.json_response({"kind": "List", "metadata": metadata, "items": every[start:end]})

    async def _create(self, path: str, body: dict[str, Any]) -> web.Response:
        if path in self._objects:
            return _refused(409, "AlreadyExists")
        metadata = {"uid": f"uid-of-{body['metadata']['name']}", **body["metadata"]}
        return web.json_response(await self._write("ADDED", path, {**body, "metadata": metadata}))

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
            # Each version is one entry: what is new stands at the end, and hundreds of objects have a long past.
            for version, kind, path, item in self._history[max(since - _FIRST, 0) :]:
                if not path or _within(path, item, request):
                    await answer.write(_line(kind, item))
                since = version
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


def _within(path: str, item: dict[str, Any], request: web.Request) -> bool:
    """Whether *item* at *path* is of the collection that *request* asks for, and of its field selector."""
    asked, found = _PATH.fullmatch(request.path), _PATH.fullmatch(path)
    assert asked is not None
    assert found is not None
    same = asked["plural"] == found["plural"] and asked["ns"] in (None, found["ns"])
    field, _, value = request.query.get("fieldSelector", "").partition("=")
    return same and (not field or _at(item, field) == value)


def _at(item: Any, field: str) -> Any:
    for name in field.split("."):
        item = item.get(name, {})
    return item


def _merged(old: Any, patch: dict[str, Any]) -> dict[str, Any]:
    """RFC 7386."""
    kept = dict(old) if isinstance(old, dict) else {}
    for name, value in patch.items():
        kept[name] = _merged(kept.get(name), value) if isinstance(value, dict) else value
    return {name: value for name, value in kept.items() if value is not None}


def is_of_another_version(body: dict[str, Any], request: web.Request) -> bool:
    """What the real one refuses: an object of one version at the path of another."""
    return "apiVersion" in body and body["apiVersion"].rpartition("/")[2] != request.get(ASKED_FOR, "v1")


def _refused(code: int, reason: str) -> web.Response:
    return web.json_response(status(code, reason), status=code)


def _line(kind: str, item: dict[str, Any]) -> bytes:
    return json.dumps({"type": kind, "object": item}).encode() + b"\n"
