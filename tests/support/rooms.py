"""Network namespaces without names: what a thread opens or starts in one is inside."""

import ctypes
import http.client
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

PATIENCE = 45.0
"""Seconds after which whatever was waited for counts as never coming."""
CLONE_NEWNET = 0x40000000
"""linux/sched.h"""


def awaited(condition: Callable[[], Any]) -> Any:
    """What *condition* answers as soon as it is true."""
    deadline = time.monotonic() + PATIENCE
    while not (answer := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)
    return answer


class Room:
    """A network namespace that lasts as long as its one thread: what the thread opens or starts is inside."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1)
        self.number: int = self(self._moved_in)

    @staticmethod
    def _moved_in() -> int:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.unshare(CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "unshare")
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        return threading.get_native_id()

    def __call__(self, action: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        """Do *action* inside."""
        return self._thread.submit(action, *arguments, **options).result(2 * PATIENCE)

    def run(self, *command: str) -> None:
        self(subprocess.run, command, check=True, timeout=PATIENCE)

    def connected(self, host: str, port: int) -> socket.socket:
        return self(socket.create_connection, (host, port), PATIENCE)

    def echoed(self, host: str, port: int, word: bytes) -> bool:
        """Whether a new connection from inside hears *word*, which it says."""
        with self.connected(host, port) as connection:
            try:
                connection.sendall(word)
                return connection.recv(4096) == word
            except ConnectionError:
                return False

    def answer(self, port: int, path: str, *, host: str = "127.0.0.1", method: str = "GET") -> tuple[int, str]:
        """Status and body of an HTTP request from inside."""

        def asked() -> tuple[int, str]:
            connection = http.client.HTTPConnection(host, port, timeout=PATIENCE)
            try:
                connection.request(method, path)
                response = connection.getresponse()
                return response.status, response.read().decode()
            finally:
                connection.close()

        return self(asked)

    def close(self) -> None:
        self._thread.shutdown()


@contextmanager
def made_rooms() -> Iterator[tuple[Room, Room]]:
    """A pod, 10.88.0.2 and fd88::2, and its peer, 10.88.0.1 and fd88::1, joined by a veth pair."""
    pod, peer = Room(), Room()
    try:
        pod.run("ip", "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", str(peer.number))
        for room, host in ((pod, 2), (peer, 1)):
            room.run("ip", "address", "add", f"10.88.0.{host}/24", "dev", "eth0")
            room.run("ip", "address", "add", f"fd88::{host}/64", "dev", "eth0", "nodad")
            room.run("ip", "link", "set", "eth0", "up")
        yield pod, peer
    finally:
        pod.close()
        peer.close()
