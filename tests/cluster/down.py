"""End the cluster that `up.py` started, and remove every trace of it but the cache of what was built. Shell."""

import sys

from launcher import machine, node
from launcher.progress import Progress, alone, status


def down(_: Progress) -> str:
    machine.require_root()
    with alone():
        node.stop_node()
    return "the cluster is down"


if __name__ == "__main__":
    sys.exit(status(down))
