"""The installed `proa` command, and what a demo leaves on the machine."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

PROA = Path(sys.executable).with_name("proa")
DIRECTORY = Path("/run/proa-demo")


@pytest.fixture
def proa() -> Iterator[Callable[..., subprocess.CompletedProcess[str]]]:
    """Runs `proa demo …` to its end; whatever the test leaves is removed afterwards."""

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([PROA, "demo", *words], capture_output=True, text=True, timeout=240, check=False)

    yield run
    run("down")


@pytest.fixture
def leftovers() -> Callable[[], list[str]]:
    """Answers every trace of a demo: namespaces, files, mounts, processes that were not there before."""
    before = _processes()

    def found() -> list[str]:
        namespaces = [str(entry) for entry in Path("/run/netns").glob("proa-demo-*")]
        files = [str(DIRECTORY)] if DIRECTORY.exists() else []
        mounts = [line for line in Path("/proc/mounts").read_text().splitlines() if "proa-demo" in line]
        return namespaces + files + mounts + [command for pid, command in _processes().items() if pid not in before]

    return found


def _processes() -> dict[str, str]:
    """Command lines by number, without those of a cluster's containers: its sidecars have the same ones."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                groups = (entry / "cgroup").read_text()
            except OSError:
                continue
            if "kubepods" not in groups and (
                "proa-demo" in command
                or "/var/run/proa.dev/" in command
                or "http.server --bind :: 8080 --directory /srv" in command
            ):
                found[entry.name] = command
    return found
