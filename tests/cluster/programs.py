"""Build the Go programs that tests run beside a cluster, unless they are: `python tests/cluster/programs.py`. Shell.

A test would do so itself, in a time that is meant for what it tests.
"""

import subprocess
import sys

from launcher import builds
from launcher.progress import Progress, alone
from proa.errors import ProaError


def main() -> int:
    progress = Progress()
    try:
        for program in builds.TESTED_WITH:
            progress.tell(" ".join((program.name, *program.flags)))
            with alone("programs.lock"):
                builds.built(program)
    except (ProaError, subprocess.CalledProcessError) as problem:
        progress.tell(f"failed: {problem}")
        return 1
    except KeyboardInterrupt:
        progress.tell("interrupted")
        return 130
    progress.tell("all are built")
    return 0


if __name__ == "__main__":
    sys.exit(main())
