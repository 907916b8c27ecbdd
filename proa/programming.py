"""Who programs the interception of pods: the mesh configuration's section for it. Pure."""

from enum import StrEnum
from typing import Annotated, Final, TypeAlias

from msgspec import Meta

from proa.sections import Section

_LONGEST_WAIT: Final = 3600
Directory: TypeAlias = Annotated[
    str,
    Meta(pattern=r"^(/[A-Za-z0-9_.-]{1,64}){1,12}\Z", description="an absolute path of letters, digits and _.- signs"),
]


class Door(StrEnum):
    """Who tells the agent of a pod's network."""

    CNI = "cni"
    NRI = "nri"


class ByPod(Section, frozen=True, tag_field="programmedBy", tag="pod"):
    """`proa-init` does, in each pod, with NET_ADMIN."""


class ByNode(Section, frozen=True, tag_field="programmedBy", tag="node"):
    """An agent on each node does, before the pod's containers start. `proa-init` holds the pod until it has."""

    await_seconds: Annotated[int, Meta(ge=1, le=_LONGEST_WAIT)] = 120
    """After which `proa-init` fails, and the kubelet starts it again, unless the pod's restartPolicy is Never."""
    door: Door = Door.CNI
    """A plugin of ours in the two directories that follow, or the container runtime itself, with nothing of ours on the
    node (docs/node-mode.md)."""
    cni_conf_dir: Directory = "/etc/cni/net.d"
    cni_bin_dir: Directory = "/opt/cni/bin"
    """Where the nodes' container runtime looks for the network's configuration, and for its plugins."""


Programming: TypeAlias = ByPod | ByNode
