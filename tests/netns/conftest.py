"""Network namespaces of the tests' own: one alone, or a pod and its peer joined by a veth pair with servers on both."""

import itertools
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

PACKETS = Path(__file__).with_name("packets.py")
PROA_INIT = (sys.executable, "-m", "init")
NUMBERS = itertools.count()


@dataclass(frozen=True)
class Namespace:
    name: str

    def run(self, *command: str, check: bool = False, path: str = "") -> subprocess.CompletedProcess[str]:
        """Run *command* inside; *path* comes before the PATH, or is all of it if it ends in `:`."""
        environment = dict(os.environ)
        if path:
            environment["PATH"] = path.removesuffix(":") if path.endswith(":") else f"{path}:{environment['PATH']}"
        return subprocess.run(
            [shutil.which("ip") or "ip", "netns", "exec", self.name, *command],
            env=environment,
            capture_output=True,
            text=True,
            check=check,
            timeout=30,
        )

    def init(self, *flags: str, path: str = "") -> subprocess.CompletedProcess[str]:
        """Run proa-init inside."""
        return self.run(*PROA_INIT, *flags, path=path)

    def rules(self) -> str:
        """Every table of the namespace, without counters' values."""
        return self.run("nft", "-n", "-s", "list", "ruleset", check=True).stdout

    def ip(self, command: str) -> str:
        return self.run("ip", *command.split(), check=True).stdout


@dataclass(frozen=True)
class Network:
    """The pod, with interception as by default, and its peer."""

    pod: Namespace
    peer: Namespace

    def probe(
        self, place: str, ids: tuple[int, int], host: str, port: int, *, source: str = "", udp: bool = False
    ) -> dict[str, object]:
        """Who answered a connection from *place* by a process of *ids*, user and group; and what it saw."""
        inside = self.pod if place == "pod" else self.peer
        flags = (f"--uid={ids[0]}", f"--gid={ids[1]}", f"--source={source}", *(["--udp"] if udp else []))
        return json.loads(inside.run(sys.executable, str(PACKETS), "probe", host, str(port), *flags, check=True).stdout)

    def captured(self, direction: str) -> int:
        """Connections the named counter of the pod has seen."""
        shown = self.pod.run("nft", "-j", "list", "counter", "inet", "proa", f"{direction}_captured", check=True).stdout
        return json.loads(shown)["nftables"][-1]["counter"]["packets"]


@contextmanager
def made_namespace() -> Generator[Namespace]:
    name = f"proa-{os.getpid()}-{next(NUMBERS)}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        inside = Namespace(name)
        inside.ip("link set lo up")
        # Listeners need no capability for low ports, and no second is lost to IPv6 duplicate address detection.
        for setting in ("net.ipv4.ip_unprivileged_port_start=0", "net.ipv6.conf.default.accept_dad=0"):
            inside.run("sysctl", "-qw", setting, check=True)
        yield inside
    finally:
        subprocess.run(["ip", "netns", "del", name], check=True)


@contextmanager
def served(place: Namespace, who: str, *ports: str) -> Generator[None]:
    command = ["ip", "netns", "exec", place.name, sys.executable, str(PACKETS), "serve", who, *ports]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout
            assert server.stdout.readline() == "ready\n"
            yield
        finally:
            server.kill()


@pytest.fixture
def namespace() -> Iterator[Namespace]:
    """A namespace with nothing in it but `lo`."""
    with made_namespace() as inside:
        yield inside


@pytest.fixture
def proa_init() -> tuple[str, ...]:
    """The command, for a test that runs it under another."""
    return PROA_INIT


@pytest.fixture(scope="session")
def network() -> Iterator[Network]:
    """Read-only for the tests: pod 10.77.0.2 and fd77::2, peer 10.77.0.1 and fd77::1 with 10.96.0.10 and fd96::10."""
    with ExitStack() as stack:
        pod = stack.enter_context(made_namespace())
        peer = stack.enter_context(made_namespace())
        pod.ip(f"link add eth0 type veth peer name eth0 netns {peer.name}")
        for place, host in ((pod, 2), (peer, 1)):
            place.ip(f"addr add 10.77.0.{host}/24 dev eth0")
            place.ip(f"addr add fd77::{host}/64 dev eth0 nodad")
            place.ip("link set eth0 up")
        peer.ip("addr add 10.96.0.10/32 dev lo")
        peer.ip("addr add fd96::10/128 dev lo")
        pod.ip("route add default via 10.77.0.1")
        pod.ip("route add default via fd77::1")
        stack.enter_context(served(pod, "pod", "--tcp", "15001", "15006", "15021", "15090", "8080"))
        stack.enter_context(served(peer, "peer", "--tcp", "80", "8080", "--udp", "443"))
        done = pod.init()
        assert done.returncode == 0, done.stderr
        yield Network(pod, peer)
