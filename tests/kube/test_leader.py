"""Two processes and one Lease: who serves, and who has stopped."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from kube.client import Client, connected
from kube.leader import Election
from kube.leases import Candidate, Terms
from proa.clock import system_clock
from proa.running import Service
from support.api_server import ApiServer
from support.reaching import reached

TERMS = Terms(duration=60, deadline=50.0, pause=0.1)
"""No machine stands still for so long."""
SHORT = Terms(duration=3, deadline=1.0, pause=0.1)
"""For who cannot renew: who counts wrongly is late by a second or more, which a busy machine is not."""
LEASE = "/apis/coordination.k8s.io/v1/namespaces/proa-system/leases/proa-ca"


@dataclass
class Served:
    """Who served, in order, and who does now."""

    now: set[str] = field(default_factory=set)
    story: list[str] = field(default_factory=list)

    def by(self, who: str, drain: float = 0) -> Service:
        async def serve(stopping: asyncio.Event) -> None:
            assert not self.now, f"{who} serves beside {self.now}"
            self.now.add(who)
            self.story.append(f"{who} starts")
            try:
                await stopping.wait()
                await asyncio.sleep(drain)
            finally:
                self.now.discard(who)
                self.story.append(f"{who} stops")

        return serve


@dataclass
class Process:
    task: asyncio.Task[None]
    stopping: asyncio.Event
    election: Election

    async def stop(self) -> None:
        self.stopping.set()
        async with asyncio.timeout(10):
            await self.task


def candidate(client: Client, who: str, service: Service, terms: Terms = TERMS) -> Process:
    me = Candidate("proa-system", "proa-ca", who)
    election, stopping = Election(client, me, terms, system_clock, lambda: 0.5), asyncio.Event()
    return Process(asyncio.create_task(election.led(service)(stopping)), stopping, election)


async def holder(client: Client) -> str:
    spec = (await client.request("GET", LEASE))["spec"]
    assert isinstance(spec, dict)
    return str(spec["holderIdentity"])


def asked(server: ApiServer) -> int:
    """How often a follower looked: who leads and keeps its Lease only writes."""
    return sum(request.startswith("GET") for request in server.requests)


@pytest.fixture
async def another_client(api_server: ApiServer, tmp_path: Path) -> AsyncIterator[Client]:
    async with connected(api_server.kubeconfig(tmp_path)) as client:
        yield client


@asynccontextmanager
async def two(one: Client, other: Client, served: Served, drain: float = 0) -> AsyncIterator[tuple[Process, Process]]:
    ann = candidate(one, "ann", served.by("ann", drain))
    await reached(lambda: served.now == {"ann"})
    bob = candidate(other, "bob", served.by("bob"))
    try:
        yield ann, bob
    finally:
        await bob.stop()
        await ann.stop()


async def test_one_serves_and_when_it_is_stopped_the_other_follows_without_waiting_for_the_lease_to_run_out(
    client: Client, another_client: Client, api_server: ApiServer
) -> None:
    served = Served()
    async with two(client, another_client, served, drain=0.3) as (ann, _):
        await reached(lambda: asked(api_server) >= 3)
        await ann.stop()
        await reached(lambda: served.now == {"bob"})
    assert served.story == ["ann starts", "ann stops", "bob starts", "bob stops"]
    assert await holder(client) == ""


async def test_a_leader_that_dies_is_followed_when_its_lease_has_run_out(
    another_client: Client, api_server: ApiServer
) -> None:
    await api_server.put(LEASE, spec={"holderIdentity": "dead", "leaseDurationSeconds": 2, "renewTime": "whenever"})
    served, loop = Served(), asyncio.get_running_loop()
    begun = loop.time()
    bob = candidate(another_client, "bob", served.by("bob"))
    await reached(lambda: served.now == {"bob"})
    assert loop.time() - begun >= 2
    await bob.stop()


async def test_who_loses_the_lease_to_another_stops_serving_and_follows(client: Client, api_server: ApiServer) -> None:
    served = Served()
    ann = candidate(client, "ann", served.by("ann"))
    await reached(lambda: served.now)
    await api_server.put(LEASE, spec={"holderIdentity": "eve", "leaseDurationSeconds": 1, "renewTime": "now"})
    await reached(lambda: not served.now and not ann.election.leading)
    await reached(lambda: served.now == {"ann"})
    await ann.stop()
    assert served.story == ["ann starts", "ann stops"] * 2


async def test_who_cannot_renew_stops_before_another_may_lead_even_if_it_will_not_drain(
    client: Client, api_server: ApiServer
) -> None:
    served, loop = Served(), asyncio.get_running_loop()
    ann = candidate(client, "ann", served.by("ann", drain=60), SHORT)
    await reached(lambda: served.now)
    await api_server.stop()
    went = loop.time()
    await reached(lambda: not served.now)
    assert loop.time() - went < SHORT.duration + SHORT.deadline / 2
    await api_server.start()
    await reached(lambda: served.now == {"ann"})
    served.now.clear()
    ann.task.cancel()
    await asyncio.gather(ann.task, return_exceptions=True)


async def test_who_was_stopped_for_longer_than_the_lease_holds_has_no_time_left_to_drain_in(client: Client) -> None:
    served = Served()
    ann = candidate(client, "ann", served.by("ann", drain=60), SHORT)
    await reached(lambda: served.now)
    time.sleep(SHORT.duration)  # noqa: ASYNC251 - the whole process stands still, as by SIGSTOP
    await reached(lambda: served.story[1:2] == ["ann stops"], (SHORT.duration - SHORT.deadline) / 2)
    ann.task.cancel()
    await asyncio.gather(ann.task, return_exceptions=True)


async def test_a_lease_that_was_changed_since_it_was_renewed_is_released_all_the_same(
    client: Client, api_server: ApiServer
) -> None:
    served = Served()
    ann = candidate(client, "ann", served.by("ann"))
    await reached(lambda: served.now)
    lease = await client.request("GET", LEASE)
    await api_server.put(LEASE, metadata={"labels": {"noted": "by-an-admin"}}, spec=lease["spec"])
    await ann.stop()
    assert await holder(client) == ""


async def test_a_lease_that_is_deleted_is_made_again_by_who_leads(client: Client, api_server: ApiServer) -> None:
    served = Served()
    ann = candidate(client, "ann", served.by("ann"))
    await reached(lambda: served.now)
    await api_server.remove(LEASE)
    await reached(lambda: sum("POST" in request for request in api_server.requests) == 2)
    renewed = len(api_server.requests)
    await reached(lambda: any("PUT" in request for request in api_server.requests[renewed:]))
    assert await holder(client) == "ann"
    assert served.story == ["ann starts"]
    await ann.stop()


async def test_what_is_led_and_fails_releases_the_lease_and_is_not_hidden(client: Client) -> None:
    async def fails(_: asyncio.Event) -> None:
        raise ValueError("a mistake")

    ann = candidate(client, "ann", fails)
    with pytest.raises(ValueError, match="a mistake"):
        await ann.task
    assert await holder(client) == ""


async def test_what_is_led_and_ends_by_itself_ends_the_candidacy(client: Client) -> None:
    async def ends(_: asyncio.Event) -> None:
        return

    ann = candidate(client, "ann", ends)
    async with asyncio.timeout(10):
        await ann.task
    assert await holder(client) == ""


async def test_a_follower_stops_at_once_and_leaves_the_lease_alone(client: Client, api_server: ApiServer) -> None:
    await api_server.put(LEASE, spec={"holderIdentity": "eve", "leaseDurationSeconds": 15, "renewTime": "now"})
    ann = candidate(client, "ann", Served().by("ann"), Terms(duration=60, deadline=50.0, pause=20.0))
    await reached(lambda: api_server.requests)
    await ann.stop()
    assert await holder(client) == "eve"
