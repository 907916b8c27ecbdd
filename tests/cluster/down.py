"""End the cluster that `up.py` started, and remove every trace of it but the cache of what was built. Shell."""

import sys

from launcher import machine, node
from launcher.progress import Progress, alone
from proa.errors import ProaError


def main() -> int:
    progress = Progress()
    try:
        machine.require_root()
        with alone():
            node.stop_node()
    except ProaError as problem:
        progress.tell(f"failed: {problem}")
        return 1
    except KeyboardInterrupt:
        progress.tell("interrupted")
        return 130
    progress.tell("the cluster is down")
    return 0


if __name__ == "__main__":
    sys.exit(main())
