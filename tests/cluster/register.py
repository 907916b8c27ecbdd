"""Have the node that runs registered anew, with taints: `python tests/cluster/register.py example.com/taint`. Shell."""

import subprocess
import sys

from launcher import cluster, machine
from launcher.progress import Progress, alone
from proa.errors import ProaError


def main() -> int:
    progress = Progress()
    try:
        machine.require_root()
        with alone():
            progress.tell(f"registering the node, with {', '.join(sys.argv[1:]) or 'no taint'}")
            cluster.register(sys.argv[1:])
    except (ProaError, subprocess.CalledProcessError) as problem:
        progress.tell(f"failed: {problem}")
        return 1
    progress.tell("the node is Ready")
    return 0


if __name__ == "__main__":
    sys.exit(main())
