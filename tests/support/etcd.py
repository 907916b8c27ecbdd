"""Objects with resourceVersions behind the client's wire, without a socket; a client of it may die at any write.

For many histories in a row, which a server would take seconds for.
"""

import asyncio
import json
import re
import threading
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Any
from urllib.parse import unquote

from kube.calls import Answer, Call
from kube.resources import RESOURCES, Key, Resource, key_of, place, resource_of

_COLLECTIONS = {each.plural for each in RESOURCES}


class Died(BaseException):
    """The process that wrote is no more. Nothing in the product may catch it."""


class Etcd:
    """*lives* is how many more writes succeed; the one after is done and not answered if *loses_answers*, else it is
    not done. Negative: any number. *troubles* are the statuses with which the next calls are refused, 0 for none.
    Each call is answered in a *turn*: who holds it, in whichever thread, has all that they do seen at once.
    """

    def __init__(self) -> None:
        self.objects: dict[str, Any] = {}
        self.address = "https://etcd.test"
        self.lives, self.loses_answers = -1, False
        self.troubles: list[int] = []
        self.turn = threading.RLock()
        self._version = 0

    def put(self, item: Any) -> None:
        self._store(unquote(place(resource_of(item), key_of(item))), item)

    def get(self, resource: Resource, name: str, namespace: str = "") -> Any:
        return self.objects.get(unquote(place(resource, Key(namespace, name))))

    async def send(self, call: Call) -> Answer:
        # Others have their turn, as on a wire.
        await asyncio.sleep(0)
        trouble = self.troubles.pop(0) if self.troubles else 0
        return _refusal(trouble, "Trouble") if trouble else self.answer(call)

    def answer(self, call: Call) -> Answer:
        with self.turn:
            return self._answered(call)

    def _answered(self, call: Call) -> Answer:
        body: Any = call.body
        path = unquote(call.path)
        match call.method:
            case "GET":
                return self._read(path)
            case "PUT":
                return self._write(path, body, must_be=body["metadata"].get("resourceVersion"))
            case "POST":
                path = f"{path}/{body['metadata']['name']}"
                exists = path in self.objects
                return _refusal(409, "AlreadyExists") if exists else self._write(path, body, must_be=None)
            case "DELETE":
                found = self.objects.pop(path, None)
                return _refusal(404, "NotFound") if found is None else _answer(found)
            case _:
                old = self.objects.get(path, {})
                return self._write(path, _merged(old, body), old.get("metadata", {}).get("resourceVersion"))

    def lines(self, call: Call) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        raise AssertionError(f"nobody watches here: {call}")

    def _read(self, path: str) -> Answer:
        if path in self.objects:
            return _answer(self.objects[path])
        if path.rpartition("/")[2] not in _COLLECTIONS:
            return _refusal(404, "NotFound")
        inside = [each for place, each in self.objects.items() if path in _collections(place)]
        return _answer({"metadata": {}, "items": inside})

    def _write(self, path: str, item: Any, must_be: str | None) -> Answer:
        if self.objects.get(path, {}).get("metadata", {}).get("resourceVersion") != must_be:
            return _refusal(409, "Conflict")
        if self.lives == 0 and not self.loses_answers:
            raise Died
        stored = self._store(path, item)
        if self.lives == 0:
            raise Died
        self.lives -= 1
        return _answer(stored)

    def _store(self, path: str, item: Any) -> Any:
        self._version += 1
        told = {"uid": f"uid-{self._version}", **item["metadata"], "resourceVersion": str(self._version)}
        self.objects[path] = {**item, "metadata": told}
        return self.objects[path]


def _collections(place: str) -> tuple[str, str]:
    """The one of the object's namespace, and that of all namespaces."""
    parent = place.rpartition("/")[0]
    return parent, re.sub(r"/namespaces/[^/]+(?=/)", "", parent)


def _merged(old: Any, patch: Any) -> Any:
    """RFC 7396, and as much of server-side apply as one writer needs."""
    if not (isinstance(old, dict) and isinstance(patch, dict)):
        return patch
    return {**old, **{key: _merged(old.get(key), value) for key, value in patch.items()}}


def _answer(body: Any) -> Answer:
    return Answer(200, json.dumps(body).encode())


def _refusal(code: int, reason: str) -> Answer:
    return Answer(code, json.dumps({"kind": "Status", "code": code, "reason": reason, "message": reason}).encode())
