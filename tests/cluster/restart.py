"""Kill parts of the running node and start them again: `python tests/cluster/restart.py kubelet containerd`. Shell."""

import sys

from launcher import cluster, commands, machine
from launcher.progress import Progress, alone, status
from proa.errors import Invalid


def restart(progress: Progress) -> str:
    parts, asked = {part.name: part for part in (*commands.first_parts(), *commands.other_parts())}, sys.argv[1:]
    machine.require_root()
    for name in asked:
        if name not in parts:
            raise Invalid("part", name, ", ".join(parts))
    with alone():
        progress.tell(f"restarting {', '.join(asked)}")
        cluster.restart([parts[name] for name in asked])
    return "they run"


if __name__ == "__main__":
    sys.exit(status(restart))
