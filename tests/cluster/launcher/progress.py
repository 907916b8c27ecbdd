"""Tell the user what is being done, and keep two commands from working on the cluster at once. Shell."""

import fcntl
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager

from launcher.builds import cache
from proa.errors import ProaError


class Progress:
    """Lines with the seconds since it was made."""

    def __init__(self) -> None:
        self._start = time.monotonic()

    def tell(self, step: str) -> None:
        sys.stdout.write(f"{time.monotonic() - self._start:7.1f} s  {step}\n")
        sys.stdout.flush()


@contextmanager
def alone(name: str = "lock") -> Generator[None]:
    """Wait for whoever starts or stops the cluster now, and keep others waiting; for another thing by its *name*."""
    cache().mkdir(parents=True, exist_ok=True)
    with (cache() / name).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def status(command: Callable[[Progress], str]) -> int:
    """Of the process that is there to do *command*, which answers its last words; what kept it from them is told."""
    progress = Progress()
    try:
        progress.tell(command(progress))
    except (ProaError, subprocess.CalledProcessError) as problem:
        progress.tell(f"failed: {problem}")
        return 1
    except KeyboardInterrupt:
        progress.tell("interrupted")
        return 130
    return 0
