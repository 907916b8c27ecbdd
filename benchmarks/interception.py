"""What interception costs a pod's start: with few settings and with 5000 networks, by each backend.

The whole process of proa-init as the image starts it, from exec to exit, each run in a network namespace of its own.
What it costs packets, is `traffic`'s to say.

Needs root, nft and iptables. Prints one JSON line for each; times in milliseconds, the processor's of proa-init and the
programs it runs; memory in MiB, of the largest of these.
"""

import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

from spaces import UNSEEN, unshare

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from support.imaged import proa_init

RUNS = 30
NETWORKS = ",".join(f"10.{number >> 8}.{number & 255}.0/25" for number in range(5000))
NETWORKS_IPV6 = ",".join(f"fd00:{number:x}::/64" for number in range(5000))
STARTS = {
    "default": (),
    "5000 networks": (f"--exclude-outbound-cidrs={NETWORKS}",),
    "5000 networks of IPv6": (f"--exclude-outbound-cidrs={NETWORKS_IPV6}",),
    "all settings": (
        *("--dns=all", "--udp=drop", "--exclude-outbound-ports=22", "--exclude-users=2000:5432", "--log-rate=10"),
        *("--drop-invalid=true", "--ipv6=drop", "--exclude-interfaces=eth1", "--include-inbound-ports=80,8000-9000"),
    ),
    "tproxy": ("--inbound-mode=tproxy",),
    "iptables": ("--backend=iptables",),
    "iptables-legacy": ("--backend=iptables-legacy",),
}


def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        command = proa_init(Path(directory))
        _run(command)  # which compiles what has changed
        figures = [_start(name, (*command, *flags)) for name, flags in STARTS.items()]
    from machine import facts  # noqa: PLC0415 - imported late: a spawned process's peak starts at its parent's size

    for figure in figures:
        print(json.dumps(figure | facts()), flush=True)


def _start(name: str, command: tuple[str, ...]) -> dict[str, object]:
    runs = [_run(command) for _ in range(RUNS)]
    times = [elapsed for elapsed, _, _ in runs]
    return {
        "benchmark": "interception",
        "settings": name,
        "runs": RUNS,
        "median_ms": round(statistics.median(times), 1),
        "min_ms": round(min(times), 1),
        "max_ms": round(max(times), 1),
        "cpu_median_ms": round(statistics.median(cpu for _, cpu, _ in runs), 1),
        "peak_rss_mib": round(max(kibibytes for _, _, kibibytes in runs) / 1024, 1),
    }


def _run(command: tuple[str, ...]) -> tuple[float, float, int]:
    """Milliseconds that passed, milliseconds of the processor, and peak KiB of one run in a fresh namespace."""
    unshare()
    started = time.perf_counter()
    child = os.posix_spawn(command[0], command, os.environ, file_actions=UNSEEN)
    _, status, usage = os.wait4(child, 0)
    elapsed = (time.perf_counter() - started) * 1000
    if status:
        sys.exit(f"proa-init failed with {os.waitstatus_to_exitcode(status)}")
    return elapsed, (usage.ru_utime + usage.ru_stime) * 1000, usage.ru_maxrss


if __name__ == "__main__":
    main()
