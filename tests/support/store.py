"""An API server's store behind the client's wire: what a command sends is kept, and refused where the test wants it.

For what a real API server does not do on demand: refuse in the middle, lack a kind, forbid one verb.
"""

import json
import re
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol
from urllib.parse import parse_qsl, urlsplit

from kube.calls import Answer, Call
from kube.resources import RESOURCES, key_of, place, resource_of

_PLACE = re.compile(
    r"(?P<root>/api/v1|/apis/[^/]+/v1)/(?:namespaces/(?P<ns>[^/]+)/)?(?P<plural>[a-z]+)(?:/(?P<name>.+))?"
)
_REASONS = {403: "Forbidden", 404: "NotFound", 409: "Conflict", 503: "ServiceUnavailable"}

NODE: Any = {
    "apiVersion": "v1",
    "kind": "Node",
    "metadata": {"name": "one"},
    "status": {
        "nodeInfo": {"kernelVersion": "6.1", "kubeletVersion": "v1.37.0", "operatingSystem": "linux"},
        "conditions": [{"type": "Ready", "status": "True"}],
    },
}
"""That Proa can run on."""


class Store:
    """*refused* tells of a call the status of its refusal, 0 for none; *denied* of a verb and a kind whether the user
    may not. *changes* are the calls that changed something, in their order.
    """

    def __init__(self, version: str = "v1.37.0") -> None:
        self.address = "https://store.test"
        self.version = version
        self.changes: list[str] = []
        self.objects: dict[str, Any] = {}
        self.refused: Callable[[Call], int] = lambda _: 0
        self.denied: Callable[[str, str], bool] = lambda _verb, _kind: False

    def put(self, *objects: Any) -> None:
        for each in objects:
            self.objects[place(resource_of(each), key_of(each))] = each

    async def send(self, call: Call) -> Answer:
        return self.answer(call)

    def answer(self, call: Call) -> Answer:
        refusal = self.refused(call)
        return _status(refusal) if refusal else self._answer(call)

    def lines(self, call: Call) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        raise AssertionError(f"no command watches: {call}")

    def _answer(self, call: Call) -> Answer:
        body: Any = call.body
        match call.method, _PLACE.fullmatch(call.path):
            case "GET", None:
                return _found(self._described(call.path))
            case "POST", re.Match():
                asked = body["spec"]["resourceAttributes"]
                return _found({"status": {"allowed": not self.denied(asked["verb"], asked["resource"])}})
            case "GET", re.Match() as asked if asked["name"] is None:
                return _found({"metadata": {}, "items": list(self._listed(asked, dict(call.query)))})
            case "GET", _:
                return _found(self.objects[call.path]) if call.path in self.objects else _status(404)
            case _:
                return self._changed(call, body)

    def _described(self, path: str) -> Any:
        return {
            "gitVersion": self.version,
            "resources": [{"name": each.plural} for each in RESOURCES if each.root == path],
        }

    def _listed(self, asked: "re.Match[str]", query: dict[str, str]) -> Iterable[Any]:
        wanted = dict(each.split("=") for each in query.get("labelSelector", "").split(",") if each)
        for path, each in self.objects.items():
            found = _PLACE.fullmatch(path)
            assert found is not None
            same = (found["root"], found["plural"]) == (asked["root"], asked["plural"])
            labels = each["metadata"].get("labels", {})
            if same and asked["ns"] in (None, found["ns"]) and wanted.items() <= labels.items():
                yield each

    def _changed(self, call: Call, body: Any) -> Answer:
        if call.method == "DELETE" and call.path not in self.objects:
            return _status(404)
        if ("dryRun", "All") not in call.query:
            self.changes.append(str(call))
            if call.method == "DELETE":
                del self.objects[call.path]
            else:
                self.objects[call.path] = body
        return _found(body or {})


def _found(answer: Any) -> Answer:
    return Answer(200, json.dumps(answer).encode())


def _status(code: int) -> Answer:
    reason = _REASONS[code]
    answer = {"kind": "Status", "code": code, "reason": reason, "message": f"{reason}, as the test wants it"}
    return Answer(code, json.dumps(answer).encode())


class Answering(Protocol):
    """Whatever answers as an API server would."""

    def answer(self, call: Call) -> Answer: ...


@contextmanager
def served(store: Answering) -> Iterator[str]:
    """The URL at which *store* answers, for a command that finds its API server by itself."""

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            length, url = int(self.headers.get("Content-Length") or 0), urlsplit(self.path)
            body = json.loads(self.rfile.read(length)) if length else None
            answer = store.answer(Call(self.command, url.path, tuple(parse_qsl(url.query)), body))
            self.send_response(answer.status)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer  # noqa: N815 - http.server's names

        def log_message(self, *_: object) -> None:
            """Nothing: a test's output is pytest's."""

    class Server(ThreadingHTTPServer):
        # A command asks of every permission at once.
        request_queue_size = 128

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
