"""What the fixtures of tests/netns give: network namespaces, and a pod in a network of its own."""

from typing import Any, Protocol


class Done(Protocol):
    """A process that has ended."""

    returncode: int
    stdout: str
    stderr: str


class Inside(Protocol):
    """One network namespace."""

    def run(self, *command: str, check: bool = False, path: str = "") -> Done: ...
    def init(self, *flags: str, path: str = "") -> Done: ...
    def rules(self) -> str: ...
    def ip(self, command: str) -> str: ...


class Wired(Protocol):
    """A pod, and the peer and the machine that it may talk to."""

    pod: Inside
    peer: Inside

    def configure(self, *flags: str) -> None: ...
    def probe(
        self,
        place: str,
        ids: tuple[int, int],
        host: str,
        port: int,
        *,
        source: str = "",
        source_port: int = 0,
        udp: bool = False,
        mark: int = 0,
        short: bool = False,
    ) -> dict[str, Any]: ...
    def captured(self, direction: str) -> int: ...


def complaints(done: Done) -> str:
    """Of proa-init, but for the one that depends on the machine: its room for sidecars."""
    return "".join(line for line in done.stderr.splitlines(keepends=True) if "inotify" not in line)
