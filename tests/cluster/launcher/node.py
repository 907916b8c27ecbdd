"""The node: a set of namespaces of the machine, and the processes in it. Shell."""

import os
import shutil
import signal
import subprocess
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from launcher import commands, machine
from launcher.commands import Part
from launcher.failures import NotInTime, PartFailed
from launcher.layout import LOGS, NAME, NODE_TMP, NODE_VAR, PROCESS, PROGRAMS, RUN, STATE, TUNABLES, on_machine

_INOTIFY: Final = STATE / "inotify"
_LAST_LINES: Final = 20
_ENDING_SECONDS: Final = 120
"""The kernel takes a hundred network namespaces down one after the other."""


@dataclass(frozen=True, slots=True)
class Running:
    part: Part
    process: subprocess.Popen[bytes]

    def require(self) -> None:
        """Raise PartFailed unless the part still runs."""
        if self.process.poll() is not None:
            raise PartFailed(self.part.name, last_lines(self.part.name))


def start_node(programs: Path) -> Running:
    """Make the node, with *programs* where its parts look for them. Its directories must not exist yet."""
    RUN.mkdir(mode=0o700)
    for directory in (STATE, LOGS, TUNABLES, NODE_VAR, NODE_TMP, NODE_VAR / "lib", NODE_VAR / "log"):
        directory.mkdir(mode=0o755)
    NODE_TMP.chmod(0o1777)
    (NODE_VAR / "run").symlink_to("/run")
    on_machine(PROGRAMS).mkdir(parents=True)
    machine.make_control_groups()
    machine.raise_inotify_limit(_INOTIFY)
    part = Part("node", commands.node(programs))
    node = _started(part, part.command)
    try:
        wait((node,), "the node's namespaces", lambda: first_process() is not None, 60)
    except BaseException:
        # Nothing else knows its number yet.
        node.process.kill()
        raise
    return node


def connect_node() -> None:
    process = _first_process()
    on_node = (commands.inside(process, command) for command in commands.node_network())
    for command in (*commands.link(process), *on_node, *commands.machine_routes()):
        machine.run(command)


def start(part: Part) -> Running:
    return _started(part, commands.inside(_first_process(), part.command))


def restart(part: Part) -> Running:
    """End *part* and start it again."""
    end(part)
    return start(part)


def end(part: Part) -> None:
    """As a crash would; the containers that it had started run on."""
    process = _process(part)
    os.kill(process, signal.SIGKILL)
    _require(lambda: not Path(f"/proc/{process}").exists(), f"the end of {part.name}")


def lasting(running: Running) -> Running:
    """*running*, started again if it has ended, as systemd would: a kubelet gives up where containerd is not ready."""
    return running if running.process.poll() is None else start(running.part)


def _process(part: Part) -> int:
    """The machine's number of the process of *part*. Raises PartFailed where none runs."""
    node = Path(f"/proc/{_first_process()}/ns/pid").readlink()
    command = b"".join(word.encode() + b"\0" for word in part.command)
    for entry in Path("/proc").glob("[0-9]*"):
        # A process may end while it is looked at.
        with suppress(OSError):
            if (entry / "cmdline").read_bytes() == command and (entry / "ns/pid").readlink() == node:
                return int(entry.name)
    raise PartFailed(part.name, last_lines(part.name))


def wait(running: Sequence[Running], awaited: str, condition: Callable[[], bool], seconds: float) -> None:
    """Until *condition* holds. Raises PartFailed, or NotInTime with the log of the last of *running*."""

    def holds() -> bool:
        for one in running:
            one.require()
        return condition()

    if not machine.came_true(holds, seconds):
        raise NotInTime(awaited, seconds, last_lines(running[-1].part.name))


def first_process() -> int | None:
    """The machine's number of the node's first process, if the node runs."""
    try:
        number = int(PROCESS.read_text())
        # A number may be another process's by now; only the node sees this directory as its /run.
        return number if Path(f"/proc/{number}/root/run").samefile(RUN) else None
    except (OSError, ValueError):
        return None


def stop_node() -> None:
    """End every process of the node and remove what it left, also after a start that failed half-way."""
    process = first_process()
    if process is not None:
        # The kernel then ends every process of the PID namespace; mounts and devices go with the last of them.
        os.kill(process, signal.SIGKILL)
        # Its entry in /proc stays until they have.
        _require(lambda: not Path(f"/proc/{process}").exists(), "the node's end")
    # It goes with its other end, soon after the last process of the node's network namespace.
    _require(lambda: not Path("/sys/class/net", NAME).exists(), "the end of the network device")
    _require(machine.remove_control_groups, "the end of the control groups")
    machine.lower_inotify_limit(_INOTIFY)
    for directory in (STATE, RUN):
        if directory.exists():
            shutil.rmtree(directory)


def last_lines(name: str) -> str:
    with (LOGS / f"{name}.log").open(encoding="utf-8", errors="replace") as log:
        return "".join(f"  {line}" for line in deque(log, maxlen=_LAST_LINES))


def _started(part: Part, command: tuple[str, ...]) -> Running:
    """Its process, by *command*: the part's own, or one that brings that to the node."""
    with (LOGS / f"{part.name}.log").open("ab") as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    return Running(part, process)


def _first_process() -> int:
    process = first_process()
    if process is None:
        raise PartFailed("node", last_lines("node"))
    return process


def _require(condition: Callable[[], bool], awaited: str) -> None:
    if not machine.came_true(condition, _ENDING_SECONDS):
        raise NotInTime(awaited, _ENDING_SECONDS, "")
