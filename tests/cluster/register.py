"""Have the node that runs registered anew, with taints: `python tests/cluster/register.py example.com/taint`. Shell."""

import sys

from launcher import cluster, machine
from launcher.progress import Progress, alone, status


def register(progress: Progress) -> str:
    machine.require_root()
    with alone():
        progress.tell(f"registering the node, with {', '.join(sys.argv[1:]) or 'no taint'}")
        cluster.register(sys.argv[1:])
    return "the node is Ready"


if __name__ == "__main__":
    sys.exit(status(register))
