"""What the rules cost a connection that they look at and leave alone: bytes, answers, and connections made.

Two namespaces, client and server each on a core of its own. A round measures each way once, in an order of chance:
`bare` is without rules and so without conntrack, `again` the same once more, `tracked` one rule that only asks
conntrack, `natted` one that redirects what nobody sends, `ruled` what proa-init puts in, of which every rule on the way
out is asked, as the port is an excluded one. An empty nat chain would not do: it is the first rule about conntrack or
with a redirect that has the kernel track. So `ruled` against `natted` is what the rules themselves cost, and the rest
is the price of redirecting any connection at all (docs/decisions/0053). Of each, the best of a
few short tries counts, and ways are compared within each round, so that what else the machine does falls on all. The
median of the rounds' differences stands with an interval that holds it with 95 % certainty, whatever the distribution
(by order statistics). `again` against `bare` shows what is noise: where it is not within the limit, others say little.

Differences in per cent of the time, more is slower. The loops are Python's, whose own time, some microseconds a call,
is part of all; `added_us` is a difference in itself. Needs root and nft. Prints a table, or with `-o json` a JSON line
for each of the settings.
"""

import ctypes
import json
import os
import random
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from math import comb
from pathlib import Path
from typing import NoReturn

from machine import facts
from spaces import ip, quietly, unshare

ROUNDS, TRIES = 120, 6
MEGABYTES, QUESTIONS, CONNECTIONS = 8, 60, 15
LIMIT = 3.0
"""Per cent that the rules may cost."""
CERTAINTY = 0.95
PR_SET_PDEATHSIG = 1
SERVER, CLIENT, PORT = "10.77.0.1", "10.77.0.2", 7000
COMMAND = str(Path(sys.executable).with_name("proa-init"))
SETTINGS = {
    "few": ("--exclude-outbound-ports=7000",),
    "many": ("--exclude-outbound-ports=7000", "--dns=all", "--drop-invalid=true", "--udp=drop", "--ipv6=drop"),
}
ONE = "table inet one {{ chain out {{ type {} hook output priority -100; policy accept; {}\n}}\n}}\n"
TRACKED = ONE.format("filter", "ct state established return")
NATTED = ONE.format("nat", "tcp dport 1 redirect to :1")
COMPARED = (("again", "bare"), ("tracked", "bare"), ("natted", "tracked"), ("ruled", "natted"), ("ruled", "bare"))
Times = dict[str, dict[str, list[float]]]
"""Seconds of a unit by the way and by what is measured, in the order of rounds."""


def main() -> None:
    output = sys.argv[1:]
    if output not in ([], ["-o", "json"]):
        sys.exit("usage: traffic.py [-o json]")
    peered()
    for name, flags in SETTINGS.items():
        found = compared(measured(flags))
        if output:
            print(json.dumps({"benchmark": "traffic", "settings": name, "rounds": ROUNDS, **found, **facts()}))
        else:
            show(name, found)


def measured(flags: tuple[str, ...]) -> Times:
    rules = subprocess.run([COMMAND, "--dry-run", *flags], check=True, capture_output=True, text=True).stdout
    flush = "flush ruleset\n"
    ways = {"bare": flush, "again": flush}
    ways |= {"tracked": flush + TRACKED, "natted": flush + NATTED, "ruled": flush + rules}
    times: Times = {way: {measure: [] for measure in MEASURES} for way in ways}
    script = Path(f"/proc/self/fd/{os.memfd_create('rules', 0)}")
    for number in range(-2, ROUNDS):  # the first two warm up
        for way in random.sample(sorted(ways), len(ways)):
            script.write_text(ways[way])
            quietly("nft", "-f", f"/proc/{os.getpid()}/fd/{script.name}")
            for measure, taken in MEASURES.items():
                seconds = taken()
                if number >= 0:
                    times[way][measure].append(seconds)
    return times


def compared(times: Times) -> dict[str, dict[str, dict[str, float | str]]]:
    """By what is measured, and by the two ways."""
    return {
        measure: {
            f"{one}_to_{other}": difference(times[one][measure], times[other][measure]) for one, other in COMPARED
        }
        for measure in MEASURES
    }


def difference(one: list[float], other: list[float]) -> dict[str, float | str]:
    ratios = sorted((a / b - 1) * 100 for a, b in zip(one, other, strict=True))
    low, high = interval(ratios)
    added = statistics.median(a - b for a, b in zip(one, other, strict=True))
    return {
        "median_percent": round(statistics.median(ratios), 2),
        "low_percent": round(low, 2),
        "high_percent": round(high, 2),
        "added_us": round(added * 1e6, 2),
        "unit_us": round(statistics.median(other) * 1e6, 2),
        f"within_{LIMIT:g}_percent": "yes" if high <= LIMIT else "no" if low > LIMIT else "not told apart",
    }


def interval(ordered: list[float]) -> tuple[float, float]:
    """Of the median: how many of *ordered* lie below it is a matter of as many coins."""
    count, below, outside = len(ordered), 0, 0.0
    while outside + comb(count, below) / 2**count <= (1 - CERTAINTY) / 2:
        outside += comb(count, below) / 2**count
        below += 1
    first = max(below - 1, 0)
    return ordered[first], ordered[-1 - first]


def show(name: str, found: dict[str, dict[str, dict[str, float | str]]]) -> None:
    print(f"{name} settings, {ROUNDS} rounds: the difference in time, with its interval of {CERTAINTY:.0%}")
    for measure, pairs in found.items():
        for pair, row in pairs.items():
            spread = f"{row['low_percent']:+6.2f} to {row['high_percent']:+6.2f}"
            cost = f"{row['added_us']:+8.2f} of {row['unit_us']} µs"
            verdict = row[f"within_{LIMIT:g}_percent"]
            words = f"{pair.replace('_', ' '):17} {row['median_percent']:+6.2f} %  ({spread})"
            print(f"  {measure:12} {words}  {cost:24} within {LIMIT:g} %: {verdict}")


def peered() -> None:
    """A server in a namespace of its own; this process moves into another beside it."""
    cores = sorted(os.sched_getaffinity(0))
    unshare()
    ready, telling = os.pipe()
    joined, joining = os.pipe()
    child = os.fork()
    if not child:
        os.close(joining)
        os.sched_setaffinity(0, {cores[0]})
        unshare()
        os.write(telling, b".")
        os.read(joined, 1)
        ip(f"addr add {SERVER}/24 dev far")
        ip("link set far up")
        serve(telling)
    os.sched_setaffinity(0, {cores[-1]})
    os.read(ready, 1)
    ip("link add eth0 type veth peer name far")
    ip(f"link set far netns {child}")
    ip(f"addr add {CLIENT}/24 dev eth0")
    ip("link set eth0 up")
    os.write(joining, b".")
    os.read(ready, 1)
    recycled()


def recycled() -> None:
    """Connections that are over leave soon: neither ports nor conntrack's table fill up."""
    quietly("nft", TRACKED)  # or there is nothing of conntrack to set
    for name, value in (
        ("net/ipv4/tcp_tw_reuse", "1"),
        ("net/netfilter/nf_conntrack_tcp_timeout_time_wait", "1"),
        ("net/netfilter/nf_conntrack_tcp_timeout_close", "1"),
    ):
        Path("/proc/sys", name).write_text(value)


def serve(telling: int) -> NoReturn:
    """Until the parent is gone: an answer of one byte to what is one byte, and one at the end of any more."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    with socket.create_server((SERVER, PORT), backlog=1024) as listener:
        os.write(telling, b".")
        while True:
            connection, _ = listener.accept()
            with connection:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                while received := connection.recv(1 << 20):
                    if len(received) == 1:
                        connection.send(b".")


def connected() -> socket.socket:
    connection = socket.create_connection((SERVER, PORT), 5)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def megabyte() -> float:
    block = bytes(1 << 20)

    def send() -> None:
        with connected() as connection:
            for _ in range(MEGABYTES):
                connection.sendall(block)
            connection.shutdown(socket.SHUT_WR)
            connection.recv(1)

    return best(send, MEGABYTES)


def answer() -> float:
    with connected() as connection:

        def ask() -> None:
            for _ in range(QUESTIONS):
                connection.send(b".")
                connection.recv(1)

        return best(ask, QUESTIONS)


def connection() -> float:
    def connect() -> None:
        for _ in range(CONNECTIONS):
            with connected() as made:
                made.send(b".")
                made.recv(1)

    return best(connect, CONNECTIONS)


def best(action: Callable[[], None], units: int) -> float:
    """Seconds of a unit, in the try that the rest of the machine disturbed least."""
    return min(timed(action) for _ in range(TRIES)) / units


def timed(action: Callable[[], None]) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


MEASURES = {"megabyte": megabyte, "answer": answer, "connection": connection}
"""Seconds of one each; a connection is made, asked once and closed."""

if __name__ == "__main__":
    main()
