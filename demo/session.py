"""A demo's life on this machine: may it start, run it, take everything down again. Shell."""

import asyncio
import importlib.util
import json
import os
import shutil
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

from proa.errors import Invalid, ProaError, Problems, shown

if TYPE_CHECKING:
    from demo.proof import Proof
    from demo.runtime import Command

DIRECTORY: Final = Path("/run/proa-demo")
_PODS: Final = DIRECTORY / "pods"
_ENDINGS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_PROGRAMS: Final = {"nft": "nftables", "nsenter": "util-linux", "unshare": "util-linux", "setpriv": "util-linux"}
_PACKAGES: Final = ("envoy", "jsonpatch", "pyroute2")
_CAPABILITIES: Final = {"CAP_NET_ADMIN": 12, "CAP_SYS_ADMIN": 21}


@dataclass(eq=False)
class AlreadyRunning(ProaError):
    """One demo at a time: its namespaces and its directory have fixed names, so that they are always found again."""

    code: ClassVar[str] = "already_running"
    directory: Path

    def __str__(self) -> str:
        return f"a demo is there already ({self.directory}); `proa demo down` removes it"


def check_machine() -> None:
    """Raise Refused with everything that the demo lacks here, and how to get it."""
    # Where nft is; a shell that only became root may not look there.
    os.environ["PATH"] = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"
    problems = Problems()
    problems.add(_missing_privileges())
    for program, package in _PROGRAMS.items():
        if shutil.which(program) is None:
            problems.add([Invalid(program, "not installed", f"apt-get install {package}")])
    for package in _PACKAGES:
        if importlib.util.find_spec(package) is None:
            problems.add([Invalid(f"Python package {package}", "not installed", "pip install 'proa[demo]'")])
    problems.refuse("this machine")


def _missing_privileges() -> list[Invalid]:
    allowed = "root: the demo makes network namespaces and mounts (run it with sudo)"
    if os.geteuid() != 0:
        return [Invalid("user", f"uid {os.geteuid()}", allowed)]
    status = Path("/proc/self/status").read_text(encoding="ascii")
    effective = int(status.partition("CapEff:")[2].split()[0], 16)
    missing = [name for name, bit in _CAPABILITIES.items() if not effective >> bit & 1]
    return [Invalid("capabilities", f"root without {name}", f"root with {name}") for name in missing]


def run(tell: Callable[[str], None], *, keep: bool) -> "Proof":
    """Run the demo and take it down, on every way out; with *keep*, only after a failure or Ctrl-C.

    Raises Refused, AlreadyRunning, what the scenario raises, and KeyboardInterrupt for a signal.
    """
    check_machine()
    try:
        DIRECTORY.mkdir(mode=0o700)
    except FileExistsError as error:
        raise AlreadyRunning(DIRECTORY) from error
    # The pods' users are not root: what is made for them must be theirs to read, whatever the caller's umask.
    os.umask(0o022)
    former = {signum: signal.getsignal(signum) for signum in _ENDINGS}
    kept = False
    try:
        proof = asyncio.run(_stoppable(tell))
        kept = keep
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
    finally:
        if not kept:
            take_down()
        for signum, handler in former.items():
            signal.signal(signum, handler)
    return proof


def take_down() -> tuple[str, ...]:
    """Kill every process of the demo, remove its namespaces and files; the names of the namespaces removed.

    No signal disturbs it: half taken down is the one state that nobody can use.
    """
    problems = Problems()
    problems.add(_missing_privileges())
    problems.refuse("this machine")
    from demo.network import remove_all  # noqa: PLC0415 - only for who may

    # Ignored and not blocked, which would be for one thread: Python handles in this thread what any other receives.
    former = {signum: signal.signal(signum, signal.SIG_IGN) for signum in _ENDINGS}
    try:
        removed = remove_all()
        if DIRECTORY.exists():
            shutil.rmtree(DIRECTORY)
        return removed
    finally:
        for signum, handler in former.items():
            signal.signal(signum, handler)


def command_in(pod: str, container: str | None, argv: Sequence[str]) -> "Command":
    """The command that runs *argv* in a pod of a demo that was kept. Raises Invalid for what is not there."""
    check_machine()
    from demo import runtime  # noqa: PLC0415 - as above

    directory = _PODS / pod
    pods = sorted(entry.name for entry in _PODS.iterdir()) if _PODS.exists() else []
    if pod not in pods:
        raise Invalid("pod", shown(pod), ", ".join(pods) or "none: start one with `proa demo --keep`")
    document: dict[str, Any] = json.loads((directory / "pod.json").read_bytes())
    spec = document["spec"]
    names = [one["name"] for one in spec["containers"] + spec.get("initContainers", [])]
    chosen = names[0] if container is None else container
    if chosen not in names:
        raise Invalid("container", shown(chosen), ", ".join(names))
    try:
        return runtime.command_in(directory / chosen, argv)
    except ProcessLookupError as error:
        raise Invalid("container", shown(chosen), "a container that runs: this one has ended") from error


async def _stoppable(tell: Callable[[str], None]) -> "Proof":
    """The scenario, ended by a signal."""
    from demo.scenario import scenario  # noqa: PLC0415 - as above

    task, loop = asyncio.ensure_future(scenario(DIRECTORY, tell)), asyncio.get_running_loop()

    def end(*_: object) -> None:
        # Once is enough: who sends it again is heard already.
        for signum in _ENDINGS:
            signal.signal(signum, signal.SIG_IGN)
        if not loop.is_closed():
            loop.call_soon_threadsafe(task.cancel)

    # Not loop.add_signal_handler: pyroute2 ends the children that it forks by SIGTERM, and such a child would tell our
    # loop of it through the descriptor that it inherits.
    for signum in _ENDINGS:
        signal.signal(signum, end)
    try:
        return await task
    except asyncio.CancelledError:
        # Threads may be waiting for a container: without it they end, and so can the loop.
        take_down()
        raise
