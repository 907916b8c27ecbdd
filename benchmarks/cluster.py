"""What Proa costs in a cluster: to install, a pod's start, and each process idle and at 50 pod creations a second.

On a cluster for tests, by KUBECONFIG (`make cluster` starts one and says where it is): Proa is installed anew.
Processes' figures are the kubelet's; while the cluster is at work they share its node with the API server and this.
"""

import asyncio
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from machine import facts

from kube.calls import Selection
from kube.client import Client, connected
from kube.index import Index
from kube.resources import NAMESPACES, POD_CERTIFICATE_REQUESTS, PODS, SERVICE_ACCOUNTS, Key
from proa import names

IMAGE = os.environ.get("PROA_TEST_IMAGE", "localhost/busybox:1")
STARTS = 20
A_SECOND = 50
AT_ONCE = 500
"""Requests for certificates: five nodes' pods that start together."""
UNDER_WAY = 16
"""Creations at once, at most: as of a controller that is given time, not as of a flood."""
SECONDS = 60
"""Of work, and of idleness before it: the kubelet looks at a process every ten seconds or so."""


def told(benchmark: str, **figures: object) -> None:
    print(json.dumps({"benchmark": benchmark, **figures, **facts()}), flush=True)


def proa(*arguments: str) -> None:
    subprocess.run([Path(sys.executable).with_name("proa"), *arguments], check=True, capture_output=True)


def pod(name: str, namespace: str, **spec: object) -> dict[str, Any]:
    container = {"name": "app", "image": IMAGE, "command": ["sleep", "infinity"]}
    metadata = {"name": name, "namespace": namespace}
    whole = {"containers": [container], "terminationGracePeriodSeconds": 0, **spec}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": whole}


@asynccontextmanager
async def new_namespace(client: Client, **labels: str) -> AsyncIterator[str]:
    name = f"benchmark-{uuid4().hex[:8]}"
    metadata = {"name": name, "labels": labels}
    await client.create(NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
    try:
        while not await client.list(SERVICE_ACCOUNTS, name):  # noqa: ASYNC110 - it is the cluster's, not ours
            await asyncio.sleep(0.1)
        yield name
    finally:
        await client.delete(NAMESPACES, name)


async def ready(client: Client, name: str, namespace: str) -> None:
    def is_ready(found: Any) -> bool:
        conditions = found["status"].get("conditions", [])
        return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)

    while not is_ready(await client.get(PODS, name, namespace)):  # noqa: ASYNC110 - likewise
        await asyncio.sleep(0.03)


async def start_seconds(client: Client, namespace: str) -> float:
    """The median of pods made one after the other: from the creation until Ready."""
    taken = []
    for number in range(STARTS):
        began = time.monotonic()
        await client.create(PODS, pod(f"pod-{number}", namespace))
        await ready(client, f"pod-{number}", namespace)
        taken.append(time.monotonic() - began)
        await client.delete(PODS, f"pod-{number}", namespace)
    return round(statistics.median(taken), 2)


async def processes(client: Client) -> dict[str, Any]:
    """By pod of Proa, what the kubelets know of it: when, processor time in nanoseconds, memory in bytes."""
    pods: list[Any] = list(await client.list(PODS, names.SYSTEM_NAMESPACE))
    nodes = {each["spec"]["nodeName"] for each in pods}
    paths = [f"/api/v1/nodes/{node}/proxy/stats/summary" for node in nodes]
    summaries: list[Any] = [await client.request("GET", path) for path in paths]
    return {
        each["podRef"]["name"]: each["containers"][0]
        for summary in summaries
        for each in summary["pods"]
        if each["podRef"]["namespace"] == names.SYSTEM_NAMESPACE
    }


def costs(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """Of each process between two looks at it: millicores, and MiB at the second one."""
    return {name: cost(before[name], after[name]) for name in sorted(before.keys() & after.keys())}


def cost(before: Any, after: Any) -> dict[str, float]:
    first, last = (datetime.fromisoformat(each["cpu"]["time"]) for each in (before, after))
    spent = (after["cpu"]["usageCoreNanoSeconds"] - before["cpu"]["usageCoreNanoSeconds"]) / 1e9
    memory = after["memory"]["workingSetBytes"] / 2**20
    return {"millicores": round(1000 * spent / (last - first).total_seconds(), 1), "memory_mib": round(memory, 1)}


async def at_the_rate(creation: Callable[[int], Awaitable[object]]) -> dict[str, float]:
    """Creations at the rate, as far as the cluster keeps up: never more than so many under way."""
    taken: list[float] = []
    places = asyncio.Semaphore(UNDER_WAY)

    async def one(number: int) -> None:
        async with places:
            start = time.monotonic()
            await creation(number)
            taken.append(time.monotonic() - start)

    began = time.monotonic()
    async with asyncio.TaskGroup() as group:
        for number in range(A_SECOND * SECONDS):
            await asyncio.sleep(max(0.0, began + number / A_SECOND - time.monotonic()))
            group.create_task(one(number))
    seconds = time.monotonic() - began
    taken.sort()
    return {
        "a_second": round(len(taken) / seconds, 1),
        "median_ms": round(1000 * statistics.median(taken), 1),
        "p99_ms": round(1000 * taken[int(0.99 * len(taken))], 1),
    }


async def idle(client: Client) -> None:
    before = await processes(client)
    await asyncio.sleep(SECONDS)
    told("cluster: idle", processes=costs(before, await processes(client)))


async def pods_at_work(client: Client) -> None:
    """Pods that the webhook injects and no node starts."""
    gate = [{"name": "proa.dev/never"}]
    async with new_namespace(client, **{names.INJECT: "enabled"}) as namespace:
        before = await processes(client)
        done = await at_the_rate(
            lambda number: client.create(PODS, pod(f"gated-{number}", namespace, schedulingGates=gate))
        )
        after = await processes(client)
        found: list[Any] = list(await client.list(PODS, namespace))
    injected = sum(names.STATUS in each["metadata"].get("annotations", {}) for each in found)
    told("cluster: pod creations", **done, pods=len(found), injected=injected, processes=costs(before, after))


async def certificates_at_work(client: Client) -> None:
    """Requests for certificates that the authority signs: the kubelet's of a pod that runs, copied."""
    async with new_namespace(client, **{names.INJECT: "enabled"}) as namespace:
        await client.create(PODS, pod("running", namespace))
        await ready(client, "running", namespace)
        (request, *_) = await client.list(POD_CERTIFICATE_REQUESTS, namespace)

        def creation(number: int) -> Awaitable[object]:
            metadata = {"name": f"copy-{number}", "namespace": namespace}
            return client.create(POD_CERTIFICATE_REQUESTS, {**request, "metadata": metadata, "status": {}})

        before = await processes(client)
        done = await at_the_rate(creation)
        after = await processes(client)
        found: list[Any] = list(await client.list(POD_CERTIFICATE_REQUESTS, namespace))
    issued = sum("certificateChain" in each.get("status", {}) for each in found)
    told("cluster: certificates", **done, requests=len(found), issued=issued, processes=costs(before, after))


async def certificates_at_once(client: Client) -> None:
    """So many as fast as the API server takes them, as when nodes start together; until the last has its answer."""
    async with new_namespace(client, **{names.INJECT: "enabled"}) as namespace:
        await client.create(PODS, pod("running", namespace))
        await ready(client, "running", namespace)
        (request, *_) = await client.list(POD_CERTIFICATE_REQUESTS, namespace)
        stopping, answered, places = asyncio.Event(), dict[str, float](), asyncio.Semaphore(UNDER_WAY)
        index = Index[bool](client, POD_CERTIFICATE_REQUESTS, Selection(namespace), has_certificate)

        def see(key: Key, issued: bool | None) -> None:  # noqa: FBT001 - an index's value
            if issued and key.name.startswith("copy-"):
                answered.setdefault(key.name, time.monotonic())

        async def create(number: int) -> None:
            async with places:
                metadata = {"name": f"copy-{number}", "namespace": namespace}
                await client.create(POD_CERTIFICATE_REQUESTS, {**request, "metadata": metadata, "status": {}})

        index.subscribe(see)
        async with asyncio.TaskGroup() as group:
            group.create_task(index.service(stopping))
            await index.synced.wait()
            began = time.monotonic()
            await asyncio.gather(*map(create, range(AT_ONCE)))
            created = time.monotonic() - began
            while len(answered) < AT_ONCE and time.monotonic() - began < SECONDS:  # noqa: ASYNC110 - bounded
                await asyncio.sleep(0.02)
            stopping.set()
    last = max(answered.values(), default=began) - began
    told(
        "cluster: certificates at once",
        requests=AT_ONCE,
        issued=len(answered),
        created_seconds=round(created, 2),
        issued_seconds=round(last, 2),
    )


def has_certificate(request: Any) -> bool:
    return "certificateChain" in request.get("status", {})


async def benchmarks() -> None:
    proa("uninstall", "--yes")
    began = time.monotonic()
    proa("install")
    told("cluster: install to Ready", seconds=round(time.monotonic() - began, 1))
    async with connected() as client:
        for title, labels in (("without", {}), ("with", {names.INJECT: "enabled"})):
            async with new_namespace(client, **labels) as namespace:
                median = await start_seconds(client, namespace)
                told(f"cluster: pod start {title} injection", pods=STARTS, median_seconds=median)
        await idle(client)
        await pods_at_work(client)
        await certificates_at_work(client)
        await certificates_at_once(client)


if __name__ == "__main__":
    asyncio.run(benchmarks())
