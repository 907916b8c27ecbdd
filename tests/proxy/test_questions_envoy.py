"""A real Envoy between an application and its name servers: every question of whatever kind comes back answered, by
UDP and TCP, IPv4 and IPv6, and Envoy's own are not sent back to it.
"""

import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from itertools import product
from typing import Any

import pytest

from proa import names
from proa.mesh import MeshConfiguration
from support.echo import said
from support.rooms import PATIENCE, Room

pytestmark = pytest.mark.netns

SERVERS = {"IPv4": "10.88.0.1", "IPv6": "fd88::1"}
PODS = {"10.88.0.2", "fd88::2"}
every_way = pytest.mark.parametrize(("family", "kind"), [*product(SERVERS, ("SOCK_DGRAM", "SOCK_STREAM"))])
SILENT = "10.88.0.77"
DNS = 53
USER = 65534
# Asks for the MX records of example.com (RFC 1035 §4): Envoy's own DNS filter would not hand that on.
QUESTION = struct.pack(">6H", 0x1234, 0x0100, 1, 0, 0, 0) + b"\x07example\x03com\x00" + struct.pack(">2H", 15, 1)
ANSWER = QUESTION[:2] + b"\x81\x80" + QUESTION[4:] + bytes(4000)
ASK = """
import socket, sys
host, kind, question = sys.argv[1], getattr(socket, sys.argv[2]), bytes.fromhex(sys.argv[3])
asking = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, kind)
asking.connect((host, 53))
asking.settimeout(1)
for _ in range(4):
    asking.sendall(question)
    try:
        heard = asking.recv(int(sys.argv[4]))
        # What comes by TCP may come in pieces.
        while sys.argv[2] == "SOCK_STREAM" and (more := asking.recv(int(sys.argv[4]) - len(heard))):
            heard += more
    except TimeoutError:
        continue
    sys.stdout.write(heard.hex())
    break
"""


class NameServer:
    """Answers every question by UDP and TCP, and remembers who asked, and how. Ends with its room's sockets."""

    def __init__(self, room: Room, stack: ExitStack) -> None:
        self.room, self.asked = room, list[tuple[str, str]]()
        self._listener: socket.socket = room(
            socket.create_server, ("::", DNS), family=socket.AF_INET6, dualstack_ipv6=True
        )
        self._datagrams: socket.socket = room(socket.socket, socket.AF_INET6, socket.SOCK_DGRAM)
        self._datagrams.bind(("::", DNS))
        for action, open_socket in ((self._by_tcp, self._listener), (self._by_udp, self._datagrams)):
            thread = threading.Thread(target=action)
            thread.start()
            stack.callback(thread.join)
            stack.callback(_shut, open_socket)

    def _by_udp(self) -> None:
        with self._datagrams:
            while question := self._datagrams.recvfrom(4096):
                if not question[0]:
                    return
                self._remember("SOCK_DGRAM", question[1][0])
                self._datagrams.sendto(ANSWER, question[1])

    def _by_tcp(self) -> None:
        with suppress(OSError), self._listener:
            while True:
                connection, asker = self._listener.accept()
                with connection:
                    self._remember("SOCK_STREAM", asker[0])
                    connection.recv(4096)
                    connection.sendall(ANSWER)

    def _remember(self, kind: str, asker: str) -> None:
        self.asked.append((kind, asker.removeprefix("::ffff:")))


def _shut(open_socket: socket.socket) -> None:
    """Wakes whoever reads from it; Linux says ENOTCONN of a socket for datagrams, and does it."""
    with suppress(OSError):
        open_socket.shutdown(socket.SHUT_RDWR)


@pytest.fixture(scope="module")
def served(new_rooms: Any) -> Iterator[tuple[Room, NameServer]]:
    with ExitStack() as stack:
        pod, peer = stack.enter_context(new_rooms())
        yield pod, NameServer(peer, stack)


@pytest.fixture(scope="module", params=["redirect", "tproxy"])
def sidecar(request: Any, served: tuple[Room, NameServer], sidecar_in: Any, authority_of_tests: Any) -> Iterator[Any]:
    told = (f"--dns={','.join(SERVERS.values())}", f"--inbound-mode={request.param}")
    identity = authority_of_tests.files("ns/shop/sa/web")
    with sidecar_in(served[0], MeshConfiguration(), identity, init=told) as running:
        yield running


def heard(room: Room, server: str, kind: str, user: int = USER) -> bytes:
    """The answer to a *user*'s question."""
    command = ("setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", sys.executable, "-c", ASK)
    question = (server, kind, QUESTION.hex(), str(len(ANSWER)))
    done = room(subprocess.run, (*command, *question), capture_output=True, text=True, check=True, timeout=20)
    return bytes.fromhex(done.stdout)


@every_way
def test_a_question_of_any_kind_is_answered_through_the_sidecar(
    sidecar: Any, served: tuple[Room, NameServer], family: str, kind: str
) -> None:
    pod, server = served
    before = taken(sidecar)
    asked = len(server.asked)
    assert heard(pod, SERVERS[family], kind) == ANSWER
    # One that is not answered within a second is asked again.
    assert {(how, asker in PODS) for how, asker in server.asked[asked:]} == {(kind, True)}
    assert {name for name, count in taken(sidecar).items() if count != before[name]} == {kind}


def taken(sidecar: Any) -> dict[str, int]:
    """How many askers the sidecar had by each protocol."""
    return {
        "SOCK_DGRAM": sidecar.stat("udp.questions.downstream_sess_total"),
        "SOCK_STREAM": sidecar.stat("tcp.questions.downstream_cx_total"),
    }


@every_way
def test_what_the_proxy_asks_itself_leaves_as_it_is(
    sidecar: Any, served: tuple[Room, NameServer], family: str, kind: str
) -> None:
    pod, _ = served
    before = taken(sidecar)
    assert heard(pod, SERVERS[family], kind, names.PROXY_UID) == ANSWER
    assert taken(sidecar) == before


def test_nobody_outside_the_pod_may_ask_its_sidecar(sidecar: Any, served: tuple[Room, NameServer]) -> None:
    _, server = served
    before, asked = taken(sidecar), len(server.asked)
    for pod in PODS:
        with server.room(socket.socket, socket.AF_INET6 if ":" in pod else socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.connect((pod, names.DNS_PORT))
            asking.settimeout(PATIENCE)
            asking.send(QUESTION)
            # ICMP: nobody listens at that address.
            with pytest.raises(ConnectionRefusedError):
                asking.recv(4096)
        with server.room.connected(pod, names.DNS_PORT) as connection:
            assert said(connection, QUESTION) == b""
    assert (taken(sidecar), server.asked[asked:]) == (before, [])


def test_who_asks_again_as_one_server_is_silent_asks_the_other(
    new_rooms: Any, sidecar_in: Any, authority_of_tests: Any
) -> None:
    told = (f"--dns={SILENT},{SERVERS['IPv4']}",)
    with ExitStack() as stack:
        pod, peer = stack.enter_context(new_rooms())
        server = NameServer(peer, stack)
        stack.enter_context(sidecar_in(pod, MeshConfiguration(), authority_of_tests.files("ns/shop/sa/web"), init=told))
        assert heard(pod, SILENT, "SOCK_DGRAM") == ANSWER
        assert {how for how, _ in server.asked} == {"SOCK_DGRAM"}
