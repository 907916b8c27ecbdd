"""Network namespaces, what runs in them, and links between them."""

import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PACKETS = Path(__file__).parents[1] / "netns" / "packets.py"
PROA_INIT = (sys.executable, "-m", "init")
NUMBERS = itertools.count()
NO_LIBRARY = tempfile.TemporaryDirectory(prefix="proa-no-library-")
"""Holds a file that is no library, by the name of nft's: whoever looks here first for it, finds that there is none."""
(Path(NO_LIBRARY.name) / "libnftables.so.1").touch()


@dataclass(frozen=True)
class Namespace:
    name: str

    def run(self, *command: str, check: bool = False, path: str = "") -> subprocess.CompletedProcess[str]:
        """Run *command* inside; *path* comes before the PATH, or is all of it if it ends in `:`.

        Programs that are put there are meant to be run: then there is no library in their stead.
        """
        environment = dict(os.environ)
        if path:
            environment["LD_LIBRARY_PATH"] = NO_LIBRARY.name
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


class Agent:
    """A process in a namespace that opens connections when asked to."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def probe(self, **asked: object) -> dict[str, object]:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())


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
def running(place: Namespace, *mode: str) -> Generator[subprocess.Popen[str]]:
    """packets.py in *place*, once it is ready."""
    command = ["ip", "netns", "exec", place.name, sys.executable, str(PACKETS), *mode]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


def join(pod: Namespace, other: Namespace, name: str, net: int) -> None:
    """A link between the two: the pod's end has host 2, the other's host 1, and the same name but for a bridge's."""
    far = "eth0" if name == "k6t0" else name
    pod.ip(f"link add {name} type veth peer name {far} netns {other.name}")
    for place, interface, host in ((pod, name, 2), (other, far, 1)):
        place.ip(f"addr add 10.{net}.0.{host}/24 dev {interface}")
        place.ip(f"addr add fd{net}::{host}/64 dev {interface} nodad")
        place.ip(f"link set {interface} up")
