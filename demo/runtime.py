"""Starts containers as processes in namespaces of their own and runs commands in them. Shell."""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from demo import container as launcher
from demo.plan import Process

_LAUNCHER: Final = Path(launcher.__file__)
_PID_FILE: Final = "pid"
_SPEC_FILE: Final = "process.json"
LOG_FILE: Final = "log"


def start(process: Process, namespace: str, directory: Path) -> "subprocess.Popen[bytes]":
    """Start *process* in network *namespace*; its log and all that is known of it are in *directory*.

    Its own mount, process and host name namespaces end with it: no mount of a container is ever seen outside.
    """
    directory.mkdir(parents=True)
    spec = directory / _SPEC_FILE
    spec.write_text(json.dumps(asdict(process), default=str), encoding="utf-8")
    command = ["nsenter", f"--net=/run/netns/{namespace}", "--"]
    command += ["unshare", "--mount", "--propagation=private", "--pid", "--fork", "--kill-child=SIGKILL", "--uts", "--"]
    command += [sys.executable, "-IS", str(_LAUNCHER), str(spec)]
    with (directory / LOG_FILE).open("wb") as log:
        # A session of its own: Ctrl-C is for the demo, which then takes its containers down in order.
        started = subprocess.Popen(  # noqa: S603 - a command made here, of parts checked before
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
    (directory / _PID_FILE).write_text(str(started.pid), encoding="ascii")
    return started


@dataclass(frozen=True, slots=True)
class Command:
    """A command line and its whole environment, which may hold secrets and so is in no argument."""

    argv: tuple[str, ...]
    env: dict[str, str]


def command_in(directory: Path, argv: Sequence[str]) -> Command:
    """The command that runs *argv* in the container started in *directory*, as its user, with its environment.

    Raises ProcessLookupError where it does not run.
    """
    process = json.loads((directory / _SPEC_FILE).read_bytes())
    namespaces = ("--mount", "--net", "--pid", "--uts", "--root", "--wd")
    target = f"--target={_first_process(directory)}"
    return Command(("nsenter", target, *namespaces, "--", *launcher.privileges(process), *argv), process["env"])


def begun(directory: Path) -> bool:
    """Whether the container's command runs: until then its process 1 is the launcher, in the machine's root."""
    try:
        command = Path(f"/proc/{_first_process(directory)}/cmdline").read_bytes()
    except OSError:
        return False
    return bool(command) and str(_LAUNCHER).encode() not in command


def _first_process(directory: Path) -> int:
    """The container's process 1, seen from here: the only child of `unshare`. Raises ProcessLookupError."""
    parent = int((directory / _PID_FILE).read_text(encoding="ascii"))
    children = Path(f"/proc/{parent}/task/{parent}/children")
    found = children.read_text(encoding="ascii").split() if children.exists() else []
    if not found:
        raise ProcessLookupError(f"container {directory.name} is not running")
    return int(found[0])
