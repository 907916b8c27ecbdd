"""A small process that forks a child for each job: the child enters a pod's network namespace and ends there. Shell.

`python -m node.forking FD`, FD a socket of packets: a job comes with its namespace, an outcome goes back. Whoever moves
into another namespace is thrown away afterwards, so nothing ever runs in the wrong one; a pod's annotation is read
in the child, with no connection to the API server at hand. Some children are made beforehand, and each waits at the one
socket for a job of its own: no pod waits for a fork. Nothing of the agent's is imported: what is small is forked soon.
"""

from __future__ import annotations

import ctypes
import fcntl
import gc
import os
import select
import signal
import socket
import sys
from contextlib import suppress

from init import failures, kernel
from init.by_nft import Nftables, Program
from init.library import library
from node.jobs import LONGEST, WAITING, Action, How, Job, Outcome, job, outcome_message
from proa.capture.annotation import from_annotation
from proa.errors import Refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Final

    from init.applied import Backend
    from proa.capture.interception import Interception

_GONE: Final = 3
"""The exit status of a child that found no agent any more."""
SECONDS: Final = 15
"""For one job. The kernel ends who takes longer."""
_CLONE_NEWNET: Final = 0x40000000
_NS_GET_NSTYPE: Final = 0xB703
"""ioctl_ns(2)."""
_OWN: Final = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
"""The node's network namespace."""
_NFT: Final = Nftables(library() or Program())
_LIBC: Final = ctypes.CDLL(None, use_errno=True)


def main() -> None:
    """Until the agent is gone."""
    agent = socket.socket(fileno=int(sys.argv[1]))
    agent.set_inheritable(False)
    _leave()
    gc.disable()  # what is here stays; to look through it would copy it for each child
    waiting: set[int] = set()
    while True:
        while len(waiting) < WAITING:
            waiting.add(_forked(agent))
        ended, status = os.wait()
        waiting.discard(ended)
        if os.waitstatus_to_exitcode(status) == _GONE:
            return


def _leave() -> None:
    """Move from the node's network into an empty one, and try all there: what happens at a first use happens now."""
    if _LIBC.unshare(_CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "no network namespace can be made: CAP_SYS_ADMIN is needed")
    _warm()


def _forked(agent: socket.socket) -> int:
    """A child that waits for a job, does it and ends."""
    if child := os.fork():
        return child
    try:
        if not _is_asked(agent):
            _warm()
        message, places, _, _ = socket.recv_fds(agent, LONGEST, 1)
        if not message:
            os._exit(_GONE)
        signal.alarm(SECONDS)
        agent.send(outcome_message(_outcome(job(message), places)))
    finally:
        os._exit(0)


def _is_asked(agent: socket.socket) -> bool:
    """Whether a job waits for a child already, as of many pods at once: to warm up would keep it waiting for longer."""
    return bool(select.select((agent,), (), (), 0)[0])


def _warm() -> None:
    """Do a job in the empty network: a child's first look at a page copies it, and that takes as long as the job.

    The first to do it finds out what the kernel has; to all others it was done already, which is nearly as much.
    """
    with suppress(failures.KernelRefused):  # if it is to fail, it fails with a pod, which is told
        kernel.apply(from_annotation("{}"), _NFT)


def _outcome(asked: Job, places: list[int]) -> Outcome:
    try:
        wanted = from_annotation(asked.annotation)
        _enter(places)
        return Outcome(asked.number, _ACTIONS[asked.action](wanted))
    except Refused as refused:
        return Outcome(asked.number, "refused", str(refused))
    except failures.TableDiffers as differing:
        return Outcome(asked.number, "differs", differing.found)
    except failures.KernelRefused as refused:
        return Outcome(asked.number, "failed", str(refused))
    except Exception as error:  # noqa: BLE001 - whatever it is, the agent must hear of it
        return Outcome(asked.number, "failed", f"{type(error).__name__}: {error}")


def _enter(places: list[int]) -> None:
    """Raises KernelRefused: this node's own namespace is nobody's pod."""
    if len(places) != 1 or _kind(places[0]) != _CLONE_NEWNET:
        raise failures.KernelRefused("no network namespace was given")
    if os.path.sameopenfile(places[0], _OWN):
        raise failures.KernelRefused("the network namespace is the node's own")
    if _LIBC.setns(places[0], _CLONE_NEWNET):
        raise failures.KernelRefused(f"the network namespace cannot be entered: {os.strerror(ctypes.get_errno())}")


def _kind(place: int) -> int:
    try:
        return fcntl.ioctl(place, _NS_GET_NSTYPE)
    except OSError:
        return 0


def _apply(wanted: Interception) -> How:
    _tried(lambda backend: kernel.apply(wanted, backend))
    return "applied"


def _verify(wanted: Interception) -> How:
    _tried(lambda backend: kernel.verify(wanted, backend))
    return "verified"


def _repair(wanted: Interception) -> How:
    return _verify(wanted) if kernel.is_present() else _apply(wanted)


def _tried(action: Callable[[Backend | Nftables], object]) -> None:
    """By the library; by programs where it is not there, or the kernel has too little for it. Raises KernelRefused."""
    try:
        action(_NFT)
    except failures.KernelRefused as refused:
        if not refused.may_work_otherwise:
            raise
        action("auto")


_ACTIONS: Final[dict[Action, Callable[[Interception], How]]] = {
    "apply": _apply,
    "verify": _verify,
    "repair": _repair,
}


if __name__ == "__main__":
    main()
