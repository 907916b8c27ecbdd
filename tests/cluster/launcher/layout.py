"""Where the cluster lies on the machine, and which addresses and names it has. Pure.

The node is a set of namespaces of its own. It sees `STATE/var` as its /var, `STATE/tmp` as its /tmp and `RUN` as its
/run: every part runs at its default paths, and all that it writes lies in two directories of the machine.
"""

from pathlib import Path, PurePosixPath
from typing import Final

NAME: Final = "proa-cluster"
"""Of the directories, of the machine's network device and of the cgroup."""

STATE: Final = Path("/var/lib") / NAME
RUN: Final = Path("/run") / NAME

NODE_VAR: Final = STATE / "var"
NODE_TMP: Final = STATE / "tmp"
TUNABLES: Final = STATE / "tunables"
IMPORTED: Final = STATE / "imported"
"""Which images the node has: a file for each name, holding what it was made from."""
LOGS: Final = STATE / "log"
"""Of the parts, one file each."""
KUBECONFIG: Final = STATE / "kubeconfig"
COMMANDS: Final = STATE / "bin"
"""For a user's PATH: kubectl."""
PROCESS: Final = RUN / "node.pid"
"""A file with the machine's number of the node's first process, written when the namespaces are made."""
CONTAINERD_SOCKET: Final = RUN / "containerd" / "containerd.sock"

# What follows are paths as the node sees them.
KUBERNETES: Final = PurePosixPath("/var/lib/kubernetes")
PROGRAMS: Final = KUBERNETES / "bin"
PKI: Final = KUBERNETES / "pki"
CNI_CONFIGURATION: Final = PurePosixPath("/var/lib/cni/net.d")

NODE: Final = "node"
"""Of the Node object, and of the node's end of the link to the machine."""
NODE_ADDRESSES: Final = ("198.51.100.10", "fd00:192::10")
MACHINE_ADDRESSES: Final = ("198.51.100.1", "fd00:192::1")
POD_RANGES: Final = ("10.244.0.0/24", "fd00:10:244::/64")
SERVICE_RANGES: Final = ("10.96.0.0/16", "fd00:10:96::/112")
API_SERVICE_ADDRESSES: Final = ("10.96.0.1", "fd00:10:96::1")
DNS_ADDRESS: Final = "10.96.0.10"
DOMAIN: Final = "cluster.local"
SERVER: Final = f"https://{NODE_ADDRESSES[0]}:6443"


def on_machine(path: PurePosixPath) -> Path:
    """The machine's path of what the node sees as *path*, which lies below /var."""
    return NODE_VAR / path.relative_to("/var")
