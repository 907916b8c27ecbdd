"""A server that remembers who came, for tests that want to know what arrives behind a proxy."""

import socket
import ssl
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Self

from support.rooms import PATIENCE, Room

BYTES = b"enough bytes that this is plainly no TLS"


def said(connection: socket.socket, what: bytes = BYTES) -> bytes:
    """What is heard on *connection* after saying *what*: nothing if it is closed."""
    try:
        connection.sendall(what)
        return connection.recv(4096)
    except ConnectionError:
        return b""


@dataclass
class Visit:
    """One connection as its server saw it: from where, by whom if TLS says so, and what was said."""

    client: str
    identity: str = ""
    said: bytes = b""


@dataclass
class Echo:
    """A server that says *greeting* and then back what it hears, on every address; by TLS if there is a context."""

    room: Room
    port: int
    context: ssl.SSLContext | None = None
    greeting: bytes = b""
    visits: list[Visit] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._listener = self.room(
            socket.create_server, ("::", self.port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=64
        )
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
                connection, client = self._listener.accept()
                self._threads.append(threading.Thread(target=self._serve, args=(connection, client[0])))
                self._threads[-1].start()

    def _serve(self, connection: socket.socket, client: str) -> None:
        connection.settimeout(PATIENCE)
        visit = Visit(client.removeprefix("::ffff:"))
        with suppress(OSError), connection:
            if self.context is None:
                self.visits.append(visit)
                return self._converse(connection, visit)
            with self.context.wrap_socket(connection, server_side=True) as secure:
                visit.identity = dict((secure.getpeercert() or {}).get("subjectAltName", ())).get("URI", "")
                self.visits.append(visit)
                return self._converse(secure, visit)
        return None

    def _converse(self, connection: socket.socket, visit: Visit) -> None:
        connection.sendall(self.greeting)
        while heard := connection.recv(4096):
            visit.said += heard
            connection.sendall(heard)
