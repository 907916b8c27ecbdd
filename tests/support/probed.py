"""Applications that are probed, and a kubelet's ways to ask: just enough HTTP/2 for one gRPC call without a library."""

import http.client
import http.server
import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Self

from support.rooms import PATIENCE, Room

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _SETTINGS = 0, 1, 4
_END_STREAM, _END_HEADERS, _ACK = 1, 4, 1
SERVING = b"\0\0\0\0\2\x08\1"
"""HealthCheckResponse{status: SERVING} in a gRPC frame."""


@dataclass
class WebApp:
    """An HTTP server at one address of a room; says what *status* by path says, and remembers who asked for what."""

    room: Room
    address: tuple[str, int]
    context: ssl.SSLContext | None = None
    status: dict[str, int] = field(default_factory=dict[str, int])
    requests: list[tuple[str, str, dict[str, str]]] = field(default_factory=list[tuple[str, str, dict[str, str]]])

    def __enter__(self) -> Self:
        app = self

        class Answers(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                headers = {name.lower(): value for name, value in self.headers.items()}
                app.requests.append((self.command, self.path, headers))
                status = app.status.get(self.path, 200)
                self.send_response(status)
                if 300 <= status < 400:
                    self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"ok")

            do_POST = do_GET  # noqa: N815 - as above

            def log_message(self, *_: Any) -> None:
                pass

        class Server(http.server.ThreadingHTTPServer):
            address_family = _family(app.address)
            daemon_threads = True

        self._server = self.room(Server, self.address, Answers)
        if self.context:
            self._server.socket = self.context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join(PATIENCE)
        self._server.server_close()


@dataclass
class GrpcApp:
    """Says SERVING to every gRPC call in HTTP/2 with prior knowledge."""

    room: Room
    address: tuple[str, int]

    def __enter__(self) -> Self:
        self._listener = self.room(_server, self.address)
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(PATIENCE)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self._threads.append(threading.Thread(target=self._serve, args=(connection,)))
                self._threads[-1].start()

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(PATIENCE)
        with suppress(OSError, EOFError), connection, connection.makefile("rb") as reader:
            assert reader.read(len(_PREFACE)) == _PREFACE
            connection.sendall(_frame(_SETTINGS, 0, 0))
            for kind, flags, stream, _ in _frames(reader):
                if kind == _SETTINGS and not flags & _ACK:
                    connection.sendall(_frame(_SETTINGS, _ACK, 0))
                if kind in {_HEADERS, _DATA} and flags & _END_STREAM:
                    head = b"\x88" + _literal("content-type", "application/grpc")
                    connection.sendall(
                        _frame(_HEADERS, _END_HEADERS, stream, head)
                        + _frame(_DATA, 0, stream, SERVING)
                        + _frame(_HEADERS, _END_HEADERS | _END_STREAM, stream, _literal("grpc-status", "0"))
                    )


def grpc_answer(room: Room, host: str, port: int, method: str = "/grpc.health.v1.Health/Check") -> bytes:
    """The message that a gRPC call of *method* with an empty request brings back; empty if it brings none."""
    head = b"".join(
        _literal(name, value)
        for name, value in (
            *((":method", "POST"), (":scheme", "http"), (":path", method), (":authority", f"{host}:{port}")),
            *(("content-type", "application/grpc"), ("te", "trailers")),
        )
    )

    def asked() -> bytes:
        heard = b""
        with socket.create_connection((host, port), PATIENCE) as connection, connection.makefile("rb") as reader:
            connection.sendall(_PREFACE + _frame(_SETTINGS, 0, 0) + _frame(_HEADERS, _END_HEADERS, 1, head))
            connection.sendall(_frame(_DATA, _END_STREAM, 1, bytes(5)))
            for kind, flags, stream, payload in _frames(reader):
                if stream == 1 and kind == _DATA:
                    heard += payload
                if stream == 1 and kind in {_HEADERS, _DATA} and flags & _END_STREAM:
                    break
        return heard

    answer: bytes = room(asked)
    return answer


def status_of(room: Room, host: str, port: int, target: str, method: str = "GET", **more: Any) -> int:
    """As the kubelet asks: a connection of its own, closed after the answer."""

    def asked() -> int:
        connection = http.client.HTTPConnection(host, port, timeout=PATIENCE)
        try:
            connection.request(method, target, headers={"Connection": "close", **more.pop("headers", {})}, **more)
            response = connection.getresponse()
            response.read()
            assert response.getheader("location") is None
            return response.status
        finally:
            connection.close()

    status: int = room(asked)
    return status


@contextmanager
def listening(room: Room, address: tuple[str, int]) -> Iterator[socket.socket]:
    """An application that takes connections and says nothing."""
    with room(_server, address) as listener:
        yield listener


def _family(address: tuple[str, int]) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address[0] else socket.AF_INET


def _server(address: tuple[str, int]) -> socket.socket:
    return socket.create_server(address, family=_family(address))


def _literal(name: str, value: str) -> bytes:
    """A header field never indexed, without Huffman coding (RFC 7541 §6.2.2); both shorter than 127 bytes."""
    return b"\0" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()


def _frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def _frames(reader: Any) -> Iterator[tuple[int, int, int, bytes]]:
    while head := reader.read(9):
        kind, flags, stream = struct.unpack(">BBI", head[3:])
        yield kind, flags, stream & 0x7FFFFFFF, reader.read(int.from_bytes(head[:3], "big"))
