"""What the node agent adds to a pod's start: the real plugin asks the real agent, which programs a fresh namespace.

`agent_ms`: in the agent, from a whole question to its answer, as its own histogram has it. `plugin_ms`: from the
plugin's start to its end, which is what the runtime waits for. First one pod after another, then a hundred at once; the
API server is the tests' own, in this process.
"""

import asyncio
import json
import os
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from machine import facts

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from support.nodes import Node, compiled, made_node
from support.spaces import Namespace, made_namespace

ONE_BY_ONE = 40
AT_ONCE = 100
PAUSE = 0.05
SECONDS = re.compile(r'proa_node_request_seconds_sum\{command="ADD"\} (\S+)')
FORMER = {"cniVersion": "1.0.0", "interfaces": [{"name": "eth0"}], "ips": [{"address": "10.0.0.2/24"}]}


async def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        async with made_node(compiled(Path(directory), "-static")) as node:
            await node.start()
            for figure in (await one_by_one(node), await at_once(node)):
                print(json.dumps({"benchmark": "node", **figure, **facts()}), flush=True)


async def one_by_one(node: Node) -> dict[str, Any]:
    agent, plugin = [], []
    with spaces(ONE_BY_ONE) as made:
        for number, space in enumerate(made):
            pod = await node.put(f"one-{number}")
            await asyncio.sleep(PAUSE)
            before = await spent(node)
            plugin.append(await added(node, pod, space))
            agent.append((await spent(node) - before) * 1000)
    return {"pods": "one by one", "count": ONE_BY_ONE, **figures("agent_ms", agent), **figures("plugin_ms", plugin)}


async def at_once(node: Node) -> dict[str, Any]:
    with spaces(AT_ONCE) as made:
        pods = [await node.put(f"many-{number}") for number in range(AT_ONCE)]
        started = time.perf_counter()
        outcomes = await asyncio.gather(*map(added, [node] * AT_ONCE, pods, made), return_exceptions=True)
        seconds = time.perf_counter() - started
    times = [each for each in outcomes if isinstance(each, float)]
    failed = AT_ONCE - len(times)
    return {
        "pods": "at once",
        "count": AT_ONCE,
        "failed": failed,
        "s": round(seconds, 2),
        **figures("plugin_ms", times),
    }


def figures(name: str, times: list[float]) -> dict[str, float]:
    values = {"median": statistics.median(times), "min": min(times), "max": max(times)}
    return {f"{name}_{kind}": round(value, 1) for kind, value in values.items()}


async def added(node: Node, pod: dict[str, Any], space: Namespace) -> float:
    """Milliseconds of one ADD, by the plugin alone: nobody's network comes before it."""
    given = node.configuration()["plugins"][-1] | {"cniVersion": "1.0.0", "name": "pods", "prevResult": FORMER}
    started = time.perf_counter()
    await node.plugin("ADD", given, pod, space)
    return (time.perf_counter() - started) * 1000


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
