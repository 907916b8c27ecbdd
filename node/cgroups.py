"""Whose process one is, by its control groups; and which of a pod's has the pod's network. Pure.

The kubelet puts each pod into a group of its own: with cgroupfs `…/pod<UID>/…`, with systemd
`…-pod<UID with underscores>.slice/…` (pkg/kubelet/cm/pod_container_manager_linux.go of Kubernetes).
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

_POD: Final = re.compile(r"(?:^|[/-])pod([0-9a-f]{8}(?:[-_][0-9a-f]{4}){3}[-_][0-9a-f]{12})(?:\.slice)?(?=[/:]|$)")
_UNIT: Final = re.compile(r"\.(?:service|scope)/")
"""What is below one of systemd's, who runs in it may have made: a user of the node below `user@1000.service`."""


@dataclass(frozen=True, slots=True)
class Process:
    """*started* is in the kernel's ticks since it booted."""

    pid: int
    started: int


def pod_uid(lines: str) -> str:
    """The pod whose process has this /proc/PID/cgroup; "" if none has, or its hierarchies do not agree.

    Of nested names the outermost counts: what is below a pod's group, the pod itself may have made. None counts below a
    service or scope of systemd's, which may be anybody's (systemd.io, "Control Group APIs and Delegation").
    """
    paths = (line.split(":", 2)[-1] for line in lines.split("\n"))
    found = {_outermost(path) for path in paths} - {""}
    return found.pop() if len(found) == 1 else ""


def _outermost(path: str) -> str:
    match = _POD.search(path)
    return "" if match is None or _UNIT.search(path, 0, match.start() + 1) else match[1].replace("_", "-")


def started(stat: str) -> int:
    """From /proc/PID/stat, whose second field is a name in brackets that may hold anything. Raises ValueError."""
    fields = stat.rpartition(")")[2].split()
    if len(fields) < 20:
        raise ValueError("a line of /proc/PID/stat is too short")
    return int(fields[19])


def sandbox(processes: Iterable[Process]) -> Process:
    """The first of a pod's: the runtime's own, which holds the network. Later ones may have moved into another."""
    return min(processes, key=lambda process: (process.started, process.pid))
