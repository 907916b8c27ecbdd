"""How long a pod waits for proa-init: the whole process, from exec to exit, each run in a network namespace of its own.

Needs root and nft. Prints one JSON line; times in milliseconds, memory in MiB (the larger of proa-init and nft).
"""

import ctypes
import json
import os
import sys
import time
from pathlib import Path

RUNS = 30
CLONE_NEWNET = 0x40000000
COMMAND = (str(Path(sys.executable).with_name("proa-init")),)


def main() -> None:
    runs = [_run() for _ in range(RUNS)]
    from machine import facts  # noqa: PLC0415 - imported late: a spawned process's peak starts at its parent's size

    times = sorted(milliseconds for milliseconds, _ in runs)
    figures = {
        "benchmark": "interception",
        "runs": RUNS,
        "median_ms": round((times[(RUNS - 1) // 2] + times[RUNS // 2]) / 2, 1),
        "min_ms": round(times[0], 1),
        "max_ms": round(times[-1], 1),
        "peak_rss_mib": round(max(kibibytes for _, kibibytes in runs) / 1024, 1),
    }
    print(json.dumps(figures | facts()))


def _run() -> tuple[float, int]:
    """Milliseconds and peak KiB of one run in a fresh namespace, with `lo` up as a container runtime leaves it."""
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET):
        sys.exit(f"a network namespace needs root: {os.strerror(ctypes.get_errno())}")
    os.waitpid(os.posix_spawnp("ip", ("ip", "link", "set", "lo", "up"), os.environ), 0)
    quiet = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
    started = time.perf_counter()
    child = os.posix_spawn(COMMAND[0], COMMAND, os.environ, file_actions=quiet)
    _, status, usage = os.wait4(child, 0)
    elapsed = (time.perf_counter() - started) * 1000
    if status:
        sys.exit(f"proa-init failed with {os.waitstatus_to_exitcode(status)}")
    return elapsed, usage.ru_maxrss


if __name__ == "__main__":
    main()
