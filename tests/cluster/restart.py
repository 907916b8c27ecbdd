"""Kill parts of the running node and start them again: `python tests/cluster/restart.py kubelet containerd`. Shell."""

import subprocess
import sys

from launcher import cluster, commands, machine
from launcher.progress import Progress, alone
from proa.errors import Invalid, ProaError


def main() -> int:
    progress = Progress()
    parts = {part.name: part for part in (*commands.first_parts(), *commands.other_parts())}
    try:
        machine.require_root()
        for name in sys.argv[1:]:
            if name not in parts:
                raise Invalid("part", name, ", ".join(parts))
        with alone():
            progress.tell(f"restarting {', '.join(sys.argv[1:])}")
            cluster.restart([parts[name] for name in sys.argv[1:]])
    except (ProaError, subprocess.CalledProcessError) as problem:
        progress.tell(f"failed: {problem}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
