"""What the node agent adds to a pod's start: the real plugin asks the real agent, which programs a fresh namespace.

`agent_ms`: in the agent, from a whole question to its answer, as its own histogram has it. `answer_ms`: at the agent's
socket, from connecting to the end of the answer. `plugin_ms`: from the plugin's start to its end, which is what the
runtime waits for. First one pod after another, by turns, then a hundred plugins at once, and whether each pod has its
rules afterwards. A pod asks for what the webhook writes for one without probes; the API server is the tests' own, in
this process.
"""

import asyncio
import json
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from machine import facts

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from support.nodes import Node, Pod, compiled, made_node
from support.spaces import Namespace, made_namespace

ONE_BY_ONE = 100
AT_ONCE = 100
PAUSE = 0.05
ANNOTATION = '{"exclude-inbound-ports":"15021,15090"}'
SECONDS = re.compile(r'proa_node_request_seconds_sum\{command="ADD"\} (\S+)')
FORMER = {"cniVersion": "1.0.0", "interfaces": [{"name": "eth0"}], "ips": [{"address": "10.0.0.2/24"}]}


async def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        async with made_node(compiled(Path(directory), "-static")) as node:
            await node.start()
            asked = Asked(node, Path(directory) / "configuration")
            for figure in (await one_by_one(asked), await at_once(asked)):
                print(json.dumps({"benchmark": "node", **figure, **load(), **facts()}), flush=True)


class Asked:
    """*node*'s agent, by the plugin or without it. *file* is for the plugin's configuration: no other comes before."""

    def __init__(self, node: Node, file: Path) -> None:
        self.node, self._file = node, file
        given = node.configuration()["plugins"][-1] | {"cniVersion": "1.0.0", "name": "pods", "prevResult": FORMER}
        file.write_text(json.dumps(given), encoding="utf-8")

    def plugin(self, pod: Pod, space: Namespace) -> int:
        """It, started."""
        program = str(self.node.programs / "proa-cni")
        files = [
            (os.POSIX_SPAWN_OPEN, 0, str(self._file), os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
        ]
        return os.posix_spawn(program, [program], self.node.variables("ADD", pod, space), file_actions=files)

    def by_plugin(self, pod: Pod, space: Namespace) -> bool:
        """Whether it went well."""
        return os.waitpid(self.plugin(pod, space), 0)[1] == 0

    def by_socket(self, pod: Pod, space: Namespace) -> bool:
        variables = "".join(f"{name}={value}\0" for name, value in self.node.variables("ADD", pod, space).items())
        message = variables.encode() + b"\0" + self._file.read_bytes()
        with socket.socket(socket.AF_UNIX) as agent, Path(f"/run/netns/{space.name}").open() as place:
            agent.connect(str(self.node.socket))
            socket.send_fds(agent, [message], [place.fileno()])
            agent.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: agent.recv(65_536), b"")).startswith(b"\0")


async def one_by_one(asked: Asked) -> dict[str, Any]:
    agent, by_plugin, by_socket = list[float](), list[float](), list[float]()
    with spaces(2 * ONE_BY_ONE) as made:
        for number, space in enumerate(made):
            ask, times = (asked.by_plugin, by_plugin) if number % 2 else (asked.by_socket, by_socket)
            pod = await asked.node.put(f"one-{number}", annotation=ANNOTATION)
            await asyncio.sleep(PAUSE)
            before = await spent(asked.node)
            times.append(await asyncio.to_thread(milliseconds, ask, pod, space))
            agent.append((await spent(asked.node) - before) * 1000)
    figures = {"agent_ms": agent, "answer_ms": by_socket, "plugin_ms": by_plugin}
    return {"pods": "one by one", "count": ONE_BY_ONE, **described(figures)}


def milliseconds(ask: Callable[[Pod, Namespace], bool], pod: Pod, space: Namespace) -> float:
    started = time.perf_counter()
    if not ask(pod, space):
        sys.exit(f"{pod['metadata']['name']} was refused")
    return (time.perf_counter() - started) * 1000


async def at_once(asked: Asked) -> dict[str, Any]:
    with spaces(AT_ONCE) as made:
        pods = [await asked.node.put(f"many-{number}", annotation=ANNOTATION) for number in range(AT_ONCE)]
        await asyncio.sleep(PAUSE)
        times, failed = await asyncio.to_thread(together, asked, pods, made)
        counts = {"count": AT_ONCE, "failed": failed, "bare": sum(not programmed(space) for space in made)}
    return {"pods": "at once", **counts, **described({"plugin_ms": times})}


def together(asked: Asked, pods: list[Pod], made: list[Namespace]) -> tuple[list[float], int]:
    """Milliseconds of each plugin, the first ended first; and how many failed."""
    begun = {asked.plugin(pod, space): time.perf_counter() for pod, space in zip(pods, made, strict=True)}
    times, failed = list[float](), 0
    while begun:
        process, status = os.wait()
        times.append((time.perf_counter() - begun.pop(process)) * 1000)
        failed += status != 0
    return times, failed


def programmed(space: Namespace) -> bool:
    """Whether the table is there."""
    return not subprocess.run(
        ["ip", "netns", "exec", space.name, "nft", "list", "table", "inet", "proa"],
        stdout=subprocess.DEVNULL,
        check=False,
    ).returncode


def described(figures: dict[str, list[float]]) -> dict[str, float]:
    return {
        f"{name}_{kind}": round(value, 1)
        for name, times in figures.items()
        for kind, value in (("median", statistics.median(times)), ("min", min(times)), ("max", max(times)))
    }


def load() -> dict[str, float]:
    return {"load": round(os.getloadavg()[0], 1)}


async def spent(node: Node) -> float:
    """Seconds in all ADDs so far."""
    _, metrics = await node.asked("metrics")
    found = SECONDS.search(metrics)
    return float(found[1]) if found else 0.0


@contextmanager
def spaces(count: int) -> Iterator[list[Namespace]]:
    with ExitStack() as stack:
        yield [stack.enter_context(made_namespace()) for _ in range(count)]


if __name__ == "__main__":
    if os.geteuid():
        sys.exit("network namespaces need root")
    asyncio.run(main())
