"""The last steps into a container, run in its own namespaces: mounts, root, user, then the command itself. Shell.

A program of the standard library alone, started by `demo.runtime` as `python -IS container.py PROCESS.json` under
`nsenter` and `unshare`. It never returns: it becomes the container's first process.
"""

import ctypes
import json
import os
import socket
import stat
import sys
from pathlib import Path
from typing import Any, Final

_RDONLY, _REMOUNT, _BIND, _RECURSIVE = 1, 32, 4096, 16384
_libc: Final = ctypes.CDLL(None, use_errno=True)


def mount(source: str, target: str, kind: str = "", flags: int = 0, data: str = "") -> None:
    """mount(2). Raises OSError."""
    words = [word.encode() for word in (source, target, kind)]
    if _libc.mount(*words, ctypes.c_ulong(flags), data.encode()) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), target)


def enter_root(directory: Path, binds: list[dict[str, Any]], *, read_only: bool) -> None:
    """Make the machine's root, copy-on-write, and *binds* on top of it this process's root."""
    scratch, rootfs = directory / "scratch", directory / "rootfs"
    scratch.mkdir(exist_ok=True)
    rootfs.mkdir(exist_ok=True)
    mount("tmpfs", str(scratch), "tmpfs")
    (scratch / "work").mkdir()
    (scratch / "upper").mkdir(mode=0o755)
    mount("overlay", str(rootfs), "overlay", 0, f"lowerdir=/,upperdir={scratch}/upper,workdir={scratch}/work")
    devices = os.open("/dev", os.O_PATH)
    # Held open across the change of root, and reached again through /proc/self/fd.
    sources = [os.open(wanted["source"], os.O_PATH) for wanted in binds]
    os.chroot(rootfs)
    os.chdir("/")
    mount("proc", "/proc", "proc")
    mount(f"/proc/self/fd/{devices}", "/dev", flags=_BIND | _RECURSIVE)
    for folder in ("/run", "/tmp"):  # noqa: S108 - the container's own, empty
        mount("tmpfs", folder, "tmpfs", data="mode=1777")
    for wanted, source in zip(binds, sources, strict=True):
        bind(source, wanted["target"], read_only=wanted["read_only"])
    if read_only:
        mount("", "/", flags=_REMOUNT | _BIND | _RDONLY)
    for descriptor in (devices, *sources):
        os.close(descriptor)


def bind(source: int, place: str, *, read_only: bool) -> None:
    """Bind the file or directory that *source* is open on to *place*, which is made where it is not there."""
    target = Path(place)
    if stat.S_ISDIR(os.fstat(source).st_mode):
        target.mkdir(parents=True, exist_ok=True)
    else:
        # A link would lead to a place that is not in this root, as /etc/resolv.conf often does.
        target.unlink(missing_ok=True)
        target.touch()
    mount(f"/proc/self/fd/{source}", place, flags=_BIND)
    if read_only:
        mount("", place, flags=_REMOUNT | _BIND | _RDONLY)


def privileges(process: dict[str, Any]) -> list[str]:
    """The `setpriv` command line that gives up all but what *process* may keep."""
    kept = ",".join(["-all", *(f"+{name}" for name in process["capabilities"])])
    escalation = ["--no-new-privs"] if process["no_new_privileges"] else []
    user = [f"--reuid={process['uid']}", f"--regid={process['gid']}", "--clear-groups"]
    return ["setpriv", *user, f"--bounding-set={kept}", "--inh-caps=-all", *escalation, "--"]


def main() -> None:
    file = Path(sys.argv[1])
    process: dict[str, Any] = json.loads(file.read_bytes())
    socket.sethostname(process["hostname"])
    enter_root(file.parent, process["binds"], read_only=process["read_only_root"])
    command = [*privileges(process), *process["argv"]]
    os.execvpe(command[0], command, process["env"])  # noqa: S606 - the container's command, as its spec says


if __name__ == "__main__":
    main()
