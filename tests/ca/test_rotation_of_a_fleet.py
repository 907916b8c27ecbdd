"""Five hundred workloads through the rotation of a root, by the real process: no handshake fails at any moment.

Two replicas of `proa-ca`, one of which is killed while it leads; `proa ca rotate` as an admin runs it, who ends each
wait once what is waited for is seen. Only the API server and the kubelets are stand-ins.
"""

import asyncio
import os
import signal
import ssl
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from ca.phases import name_of, record_of
from support.door import Requests
from support.fleet import Fleet, Workload, handshake
from support.ports import free_ports
from support.reaching import reached

COMMANDS = Path(sys.executable).parent
MANY = 500
TOGETHER = 25
"""Requests at a time: a node's worth."""
SECONDS = 60.0
"""For what another leader does as well: a Lease that nobody renews is free after fifteen."""


@asynccontextmanager
async def replicas(kubeconfig: Path, count: int) -> AsyncIterator[dict[str, Process]]:
    """`proa-ca`, by the names they lead with."""
    running = dict[str, Process]()
    try:
        for number, port in enumerate(free_ports(count)):
            name = f"proa-ca-{number}"
            told = {**os.environ, "KUBECONFIG": str(kubeconfig), "POD_NAME": name, "HEALTH_PORT": str(port)}
            with (kubeconfig.parent / f"{name}.log").open("wb") as log:
                running[name] = await asyncio.create_subprocess_exec(COMMANDS / "proa-ca", env=told, stderr=log)
        yield running
    finally:
        for each in running.values():
            if each.returncode is None:
                each.send_signal(signal.SIGTERM)
        await asyncio.gather(*(each.wait() for each in running.values()))


async def proa(kubeconfig: Path, *words: str) -> str:
    process = await asyncio.create_subprocess_exec(
        COMMANDS / "proa", *words, f"--kubeconfig={kubeconfig}", stdout=-1, stderr=-1
    )
    said, complaint = await process.communicate()
    assert process.returncode == 0, complaint.decode()
    return said.decode()


@pytest.fixture
async def fleet(tmp_path: Path) -> AsyncIterator[Fleet]:
    server = Requests(page=500)
    await server.start()
    await server.put("/api/v1/namespaces/proa-system/configmaps/proa", data={"mesh.yaml": "{}"})
    fleet = Fleet(server, tmp_path, MANY)
    await fleet.begin()
    yield fleet
    await server.stop()


def phase(server: Requests) -> str:
    return name_of(record_of(server.found("/api/v1/namespaces/proa-system/secrets/proa-ca")).phase)


async def kill_the_leader(server: Requests, running: dict[str, Process]) -> None:
    lease = server.found("/apis/coordination.k8s.io/v1/namespaces/proa-system/leases/proa-ca")
    leader = running[lease["spec"]["holderIdentity"]]
    leader.kill()
    await leader.wait()


def trusting(fleet: Fleet, count: int) -> int:
    """How many workloads trust so many roots."""
    return sum(each.roots.count("BEGIN CERTIFICATE") == count for each in fleet.workloads)


@pytest.mark.timeout(300)
async def test_no_handshake_fails_while_the_root_is_replaced_under_five_hundred_workloads(
    fleet: Fleet, tmp_path: Path
) -> None:
    kubeconfig, server = fleet.server.kubeconfig(tmp_path), fleet.server

    async def soon(condition: Any) -> None:
        await reached(condition, SECONDS)

    async with replicas(kubeconfig, 2) as running:
        await soon(lambda: fleet.published)
        await fleet.renew(1, soon, TOGETHER)
        before = fleet.workloads[0].credential, fleet.published

        await proa(kubeconfig, "ca", "rotate")
        await soon(lambda: phase(server) == "settling")
        fleet.learn()
        assert trusting(fleet, 2) == MANY
        await kill_the_leader(server, running)

        await proa(kubeconfig, "ca", "rotate", "--advance", "--yes")
        await soon(lambda: phase(server) == "renewing")
        await fleet.renew(2, soon, TOGETHER)
        await proa(kubeconfig, "ca", "rotate", "--advance", "--yes")
        await soon(lambda: fleet.published.count("BEGIN CERTIFICATE") == 1)
        fleet.learn()

    assert fleet.failures == []
    assert trusting(fleet, 1) == MANY
    assert set(fleet.handshakes) == {(1, 1), (1, 2), (2, 1), (2, 2)}
    assert min(fleet.handshakes.values()) > MANY / 4
    # What would have failed does: neither side of the rotation knows the other's root any more.
    late = Workload("web-0", tmp_path / "late")
    assert before[0] is not None
    late.hold(before[0], before[1])
    for pair in ((late, fleet.workloads[1]), (fleet.workloads[1], late)):
        with pytest.raises(ssl.SSLError, match="verify failed"):
            handshake(*pair)
