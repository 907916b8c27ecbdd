"""How many sidecars a node's kernel has room for: each Envoy that reads files holds inotify instances. Pure."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

LIMIT_FILE: Final = "/proc/sys/fs/inotify/max_user_instances"
INSTANCES: Final = 8
"""Of a sidecar: Envoy has one for each subscription and each watched directory, however many clusters there are."""
_PODS: Final = 110
"""On a node, unless its kubelet is told otherwise (KubeletConfiguration maxPods)."""


def warning(limit: str) -> str:
    """Of *limit*, what LIMIT_FILE says; "" where there is room for as many sidecars as a node has pods.

    The limit is of a user, and every sidecar's is the same one (inotify(7)). Envoy ends where it is reached.
    """
    room = int(limit) // INSTANCES if limit.strip().isdecimal() else _PODS
    if room >= _PODS:
        return ""
    return (
        f"this node has room for {room} sidecars, and the next one's Envoy ends at its start: the kernel gives a user "
        f"{limit.strip()} inotify instances, a sidecar takes {INSTANCES}. "
        f"Raise fs.inotify.max_user_instances on the node, such as to 8192"
    )
