"""Build the Go programs that tests run beside a cluster, unless they are: `python tests/cluster/programs.py`. Shell.

A test would do so itself, in a time that is meant for what it tests.
"""

import sys

from launcher import builds
from launcher.progress import Progress, alone, status


def build(progress: Progress) -> str:
    for program in builds.TESTED_WITH:
        progress.tell(" ".join((program.name, *program.flags)))
        with alone("programs.lock"):
            builds.built(program)
    return "all are built"


if __name__ == "__main__":
    sys.exit(status(build))
