"""What interception costs: a pod's start, with few settings and with 5000 networks, by each backend; and each packet.

The whole process of proa-init, from exec to exit, each run in a network namespace of its own. Then connections and
bytes between two namespaces, with the rules and without, on a path that the rules look at and leave alone.

Needs root, nft and iptables. Prints one JSON line for each; times in milliseconds, memory in MiB (the larger of
proa-init and the program it runs).
"""

import ctypes
import json
import os
import signal
import socket
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

RUNS, ROUNDS, CONNECTIONS, MEGABYTES = 30, 10, 500, 128
CLONE_NEWNET = 0x40000000
PR_SET_PDEATHSIG = 1
COMMAND = str(Path(sys.executable).with_name("proa-init"))
NETWORKS = ",".join(f"10.{number >> 8}.{number & 255}.0/25" for number in range(5000))
STARTS = {
    "default": (),
    "5000 networks": (f"--exclude-outbound-cidrs={NETWORKS}",),
    "all settings": (
        *("--dns=all", "--udp=drop", "--exclude-outbound-ports=22", "--exclude-users=2000:5432", "--log-rate=10"),
        *("--drop-invalid=true", "--ipv6=drop", "--exclude-interfaces=eth1", "--include-inbound-ports=80,8000-9000"),
    ),
    "tproxy": ("--inbound-mode=tproxy",),
    "iptables": ("--backend=iptables",),
    "iptables-legacy": ("--backend=iptables-legacy",),
}
PASSING = (("--exclude-outbound-ports=7000",), ("--exclude-outbound-ports=7000", "--dns=all", "--drop-invalid=true"))
TRACKING = ("nft", "table inet empty { chain out { type nat hook output priority -100; policy accept;\n}\n}")


def main() -> None:
    figures = [_start(name, flags) for name, flags in STARTS.items()]
    # An excluded port: each rule of the way out is asked, and the connection is left alone.
    figures += [_traffic(flags) for flags in PASSING]
    from machine import facts  # noqa: PLC0415 - imported late: a spawned process's peak starts at its parent's size

    for figure in figures:
        print(json.dumps(figure | facts()), flush=True)


def _start(name: str, flags: tuple[str, ...]) -> dict[str, object]:
    runs = [_run(flags) for _ in range(RUNS)]
    times = [milliseconds for milliseconds, _ in runs]
    return {
        "benchmark": "interception",
        "settings": name,
        "runs": RUNS,
        "median_ms": round(statistics.median(times), 1),
        "min_ms": round(min(times), 1),
        "max_ms": round(max(times), 1),
        "peak_rss_mib": round(max(kibibytes for _, kibibytes in runs) / 1024, 1),
    }


def _run(flags: tuple[str, ...]) -> tuple[float, int]:
    """Milliseconds and peak KiB of one run in a fresh namespace, with `lo` up as a container runtime leaves it."""
    _unshare()
    _ip("link set lo up")
    quiet = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
    started = time.perf_counter()
    child = os.posix_spawn(COMMAND, (COMMAND, *flags), os.environ, file_actions=quiet)
    _, status, usage = os.wait4(child, 0)
    elapsed = (time.perf_counter() - started) * 1000
    if status:
        sys.exit(f"proa-init failed with {os.waitstatus_to_exitcode(status)}")
    return elapsed, usage.ru_maxrss


def _traffic(flags: tuple[str, ...]) -> dict[str, object]:
    """Medians over rounds that take turns, so that other load falls on all: nothing, conntrack for an empty chain, the
    rules. What the rules themselves cost is the difference of the last two.
    """
    _peered()
    ways: dict[str, tuple[str, ...]] = {"bare": (), "tracked": TRACKING, "ruled": (COMMAND, *flags)}
    rounds: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, command in ways.items():
            _quietly("nft", "flush", "ruleset")
            if command:
                _quietly(*command)
            rounds[name].append((_timed(_connect) / CONNECTIONS * 1e6, MEGABYTES / _timed(_send)))
    figures: dict[str, object] = {"benchmark": "interception", "settings": " ".join(flags), "rounds": ROUNDS}
    for name, found in rounds.items():
        figures[f"connection_us_{name}"] = round(statistics.median(each for each, _ in found), 1)
        figures[f"mb_per_s_{name}"] = round(statistics.median(each for _, each in found))
    return figures


def _quietly(*command: str) -> None:
    quiet = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
    if os.waitpid(os.posix_spawnp(command[0], command, os.environ, file_actions=quiet), 0)[1]:
        sys.exit(f"{command[0]} failed")


def _peered() -> None:
    """A listening process in a namespace of its own; this one moves into another beside it."""
    _unshare()
    _ip("link set lo up")
    ready, telling = os.pipe()
    joined, joining = os.pipe()
    child = os.fork()
    if not child:
        os.close(joining)
        _unshare()
        os.write(telling, b".")
        os.read(joined, 1)
        _ip("addr add 10.77.0.1/24 dev far")
        _ip("link set far up")
        _serve(telling)
    os.read(ready, 1)
    _ip("link add eth0 type veth peer name far")
    _ip(f"link set far netns {child}")
    _ip("addr add 10.77.0.2/24 dev eth0")
    _ip("link set eth0 up")
    os.write(joining, b".")
    os.read(ready, 1)


def _serve(telling: int) -> NoReturn:
    """Until the parent is gone."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    with socket.create_server(("10.77.0.1", 7000), backlog=1024) as listener:
        os.write(telling, b".")
        while True:
            connection, _ = listener.accept()
            with connection:
                while connection.recv(1 << 20):
                    pass


def _connect() -> None:
    for _ in range(CONNECTIONS):
        socket.create_connection(("10.77.0.1", 7000), 5).close()


def _send() -> None:
    block = bytes(1 << 20)
    with socket.create_connection(("10.77.0.1", 7000), 5) as connection:
        for _ in range(MEGABYTES):
            connection.sendall(block)
        connection.shutdown(socket.SHUT_WR)
        connection.recv(1)


def _timed(action: Callable[[], None]) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def _unshare() -> None:
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET):
        sys.exit(f"a network namespace needs root: {os.strerror(ctypes.get_errno())}")


def _ip(command: str) -> None:
    os.waitpid(os.posix_spawnp("ip", ("ip", *command.split()), os.environ), 0)


if __name__ == "__main__":
    main()
