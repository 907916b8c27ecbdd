"""What the launcher asks of the machine: commands, waiting, and control groups. Shell."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from launcher.addresses import taken
from launcher.failures import CommandFailed, Unsuitable
from launcher.layout import NAME

_CONTROL_GROUPS: Final = Path("/sys/fs/cgroup")
_NEEDED: Final = (
    *("containerd", "ctr", "runc", "busybox", "nft"),
    *("ip", "nsenter", "unshare", "mount", "sysctl"),
)
_PLUGINS: Final = Path("/usr/lib/cni")
_INOTIFY_LIMIT: Final = Path("/proc/sys/fs/inotify/max_user_instances")
_INOTIFY_INSTANCES: Final = 8192
_BRIDGE_FILTER: Final = Path("/proc/sys/net/bridge")


def require_root() -> None:
    """Raise Unsuitable for anybody else."""
    if os.geteuid() != 0:
        raise Unsuitable("not root", "a node is made of namespaces, mounts and control groups: run it as root")


def check_machine() -> None:
    """Raise Unsuitable where a cluster cannot run."""
    _require_programs(*_NEEDED)
    if not (_PLUGINS / "bridge").exists():
        raise Unsuitable(f"not found: {_PLUGINS}/bridge", "install the package containernetworking-plugins")
    for family in ("-4", "-6"):
        conflicts = taken(run(("ip", "-json", family, "route")))
        if conflicts:
            raise Unsuitable(f"routes of this machine in the cluster's ranges: {', '.join(conflicts)}", "remove them")
    if not _BRIDGE_FILTER.exists():
        run(("modprobe", "br_netfilter"))


def check_image_tools() -> None:
    """Raise Unsuitable where the product's image cannot be built."""
    _require_programs("apt-get", "buildah", "ctr", "debootstrap", "tar")


def _require_programs(*names: str) -> None:
    lacking = [name for name in names if shutil.which(name) is None]
    if lacking:
        raise Unsuitable(f"not found: {', '.join(lacking)}", "install what has them")


def run(command: Sequence[str]) -> str:
    """What *command* wrote. Raises CommandFailed."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise CommandFailed(" ".join(command), done.returncode, done.stderr.strip())
    return done.stdout


def came_true(condition: Callable[[], bool], seconds: float) -> bool:
    """Whether *condition* held within *seconds*."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def raise_inotify_limit(former: Path) -> None:
    """Room for as many sidecars as a node has pods; *former* keeps what the machine had, which no namespace hides."""
    limit = int(_INOTIFY_LIMIT.read_text())
    if limit < _INOTIFY_INSTANCES:
        former.write_text(str(limit))
        _INOTIFY_LIMIT.write_text(str(_INOTIFY_INSTANCES))


def lower_inotify_limit(former: Path) -> None:
    if former.exists():
        _INOTIFY_LIMIT.write_text(former.read_text())


def make_control_groups() -> None:
    """The group below which the kubelet makes its pods'."""
    controllers = _CONTROL_GROUPS / "cgroup.controllers"
    if controllers.exists():
        # Version 2 gives a group only those that its parent passes on (cgroup-v2.rst, "Enabling and Disabling").
        wanted = " ".join(f"+{controller}" for controller in controllers.read_text().split())
        (_CONTROL_GROUPS / "cgroup.subtree_control").write_text(wanted)
    for root in _hierarchies():
        (root / NAME).mkdir(exist_ok=True)


def remove_control_groups() -> bool:
    """Whether no group is left: one whose processes are still ending cannot be removed."""
    removed = [_removed(root / NAME) for root in _hierarchies()]
    return all(removed)


def _hierarchies() -> Iterable[Path]:
    """One of version 2, or one for each controller of version 1 (several names may lead to the same)."""
    if (_CONTROL_GROUPS / "cgroup.controllers").exists():
        return (_CONTROL_GROUPS,)
    return sorted({directory.resolve() for directory in _CONTROL_GROUPS.iterdir() if directory.is_dir()})


def _removed(group: Path) -> bool:
    for directory in _deepest_first(group):
        try:
            directory.rmdir()
        except FileNotFoundError:
            continue
        except OSError:
            return False
    return True


def _deepest_first(group: Path) -> Iterator[Path]:
    if group.is_dir():
        for child in group.iterdir():
            if child.is_dir():
                yield from _deepest_first(child)
        yield group
