"""Finds pods' network namespaces by their processes, in /proc of the node. Shell; whose one is, `cgroups` says."""

import os
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from node.cgroups import Process, pod_uid, sandbox, started


def sandboxes(proc: Path) -> dict[str, Process]:
    """The first process of each pod, by the pods' UIDs."""
    found: dict[str, list[Process]] = defaultdict(list)
    for uid, process in _processes(proc):
        found[uid].append(process)
    return {uid: sandbox(processes) for uid, processes in found.items()}


def network(proc: Path, uid: str, process: Process) -> int | None:
    """The network namespace of *process*, opened; None if it is not the pod's process any more.

    Raises OSError: PermissionError where CAP_SYS_PTRACE is lacking.
    """
    place = proc / str(process.pid)
    try:
        number = os.open(place / "ns" / "net", os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, ProcessLookupError):
        return None
    # A number may have gone to another process meanwhile: what it is is read after what it has was opened.
    with suppress(OSError, ValueError):
        if pod_uid((place / "cgroup").read_text()) == uid and _started(place) == process.started:
            return number
    os.close(number)
    return None


def network_of(proc: Path, uid: str, pid: int) -> int | None:
    """As `network`, of the pod's process *pid*."""
    try:
        process = Process(pid, _started(proc / str(pid)))
    except (FileNotFoundError, ProcessLookupError):
        return None
    return network(proc, uid, process)


def age(process: Process) -> float:
    """Seconds since it started."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) - process.started / os.sysconf("SC_CLK_TCK")


def _processes(proc: Path) -> Iterator[tuple[str, Process]]:
    for place in proc.iterdir():
        if not place.name.isdecimal():
            continue
        with suppress(OSError, ValueError):  # it may be gone
            if uid := pod_uid((place / "cgroup").read_text()):
                yield uid, Process(int(place.name), _started(place))


def _started(place: Path) -> int:
    return started((place / "stat").read_text(errors="replace"))
