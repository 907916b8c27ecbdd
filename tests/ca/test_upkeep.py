"""The leader renews what is due, says what keeps it from that, and takes back what it said when that is over."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from itertools import count
from typing import Any

import msgspec

from ca.authority import new_root
from ca.ceremony.asking import Ceremony, Holding
from ca.ceremony.messages import Asked, CeremonyLost
from ca.creation import create
from ca.metrics import Metrics
from ca.publication import Publication
from ca.reports import Reports
from ca.root_secret import roots_secret, stored_roots
from ca.storage import Issuing, LiveMaterial
from ca.surroundings import Surroundings
from ca.upkeep import Upkeep
from kube.client import Client
from kube.configuration import LiveConfiguration
from kube.resources import SECRETS
from proa.identity import TrustDomain
from support.api_server import ApiServer
from support.ceremonies import within
from support.certificate_requests import signed
from support.reaching import reached

SECRET = "/api/v1/namespaces/proa-system/secrets"  # noqa: S105 - a path
ALMOST = timedelta(days=70)
"""Of an issuer's ninety days."""


class Leader:
    def __init__(self, client: Client, clock: Any, holding: Holding | None = None) -> None:
        self.metrics, self.reports = Metrics(), Reports(client, clock)
        self.configuration = LiveConfiguration(client, "proa", self.metrics.registry)
        means = Issuing(Ceremony(holding or within(client), clock), others=0.0)
        self.material = LiveMaterial(client, self.configuration, clock, self.metrics, self.reports, means)
        self.publication = Publication(client, self.material, self.reports)
        around = Surroundings(client, self.material, self.configuration, clock, self.reports, self.metrics)
        self.upkeep = Upkeep(around, means.ceremony)
        self.publication.subscribe(self.upkeep.hasten)

    def shown(self, gauge: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(f"proa_ca_{gauge}", labels)


@asynccontextmanager
async def leading(client: Client, clock: Any, holding: Holding | None = None) -> AsyncIterator[Leader]:
    leader, stopping, resigning = Leader(client, clock, holding), asyncio.Event(), asyncio.Event()
    async with asyncio.TaskGroup() as group:
        followed = (leader.configuration.service, leader.material.service, leader.reports.service)
        for part in (*followed, leader.publication.watch):
            group.create_task(part(stopping))
        try:
            await reached(lambda: leader.configuration.current)
            await reached(lambda: leader.material.current or leader.material.absent)
            duties = [
                asyncio.create_task(each(resigning)) for each in (leader.upkeep.service, leader.publication.publish)
            ]
            yield leader
            resigning.set()
            await asyncio.gather(*duties)
        finally:
            stopping.set()


async def test_an_issuer_that_is_due_is_renewed_and_the_next_one_comes_into_force(client: Client, clock: Any) -> None:
    await create(client, TrustDomain("cluster.local"), clock)
    clock.advance(ALMOST)
    async with leading(client, clock) as leader:
        before = leader.material.current
        await reached(lambda: leader.material.current != before)
        assert leader.material.current
        assert leader.material.current.roots == (before.roots if before else ())
        await reached(lambda: leader.shown("renewal_blocked") == 0)


async def test_a_renewal_that_was_blocked_is_not_said_to_be_when_an_admin_has_put_another_issuer_there(
    client: Client, api_server: ApiServer, clock: Any
) -> None:
    await create(client, TrustDomain("cluster.local"), clock)
    (root,) = stored_roots(await client.get(SECRETS, "proa-ca-root", "proa-system"))
    await api_server.remove(f"{SECRET}/proa-ca-root")
    clock.advance(ALMOST)
    async with leading(client, clock) as leader:
        await reached(lambda: leader.shown("renewal_blocked") == 1)
        assert leader.shown("ends_soon", certificate="the issuing certificate") == 1
        # With the root's key at hand for a moment, as an admin would.
        await api_server.remove(f"{SECRET}/proa-ca")
        await api_server.put(f"{SECRET}/proa-ca-root", **roots_secret((root,)))  # type: ignore[arg-type]
        await create(client, TrustDomain("cluster.local"), clock)
        await api_server.remove(f"{SECRET}/proa-ca-root")
        await reached(lambda: leader.shown("renewal_blocked") == 0)
        assert leader.shown("ends_soon", certificate="the issuing certificate") is None


async def test_who_leads_no_more_says_nothing_of_what_it_could_not_renew(
    client: Client, api_server: ApiServer, clock: Any
) -> None:
    await create(client, TrustDomain("cluster.local"), clock)
    await api_server.remove(f"{SECRET}/proa-ca-root")
    clock.advance(ALMOST)
    async with leading(client, clock) as leader:
        await reached(lambda: leader.shown("renewal_blocked") == 1)
    assert leader.shown("renewal_blocked") == 0
    assert leader.shown("ends_soon", certificate="the issuing certificate") is None


async def test_a_rotation_that_an_admin_asks_for_goes_on_by_itself_until_it_has_to_wait(
    client: Client, api_server: ApiServer, clock: Any
) -> None:
    async with leading(client, clock) as leader:
        await reached(lambda: leader.shown("rotation_phase", phase="resting") == 1)
        first = leader.material.current
        await wish(client, api_server)
        await reached(lambda: leader.shown("rotation_phase", phase="settling") == 1)
        assert leader.shown("rotation_phase", phase="resting") == 0
        now = leader.material.current
        assert now
        assert first
        assert now.issuer == first.issuer
        assert len(now.roots) == 2
        clock.advance(timedelta(hours=25))
        leader.upkeep.hasten()
        await reached(lambda: leader.shown("rotation_phase", phase="renewing") == 1)
        await reached(lambda: leader.material.current and leader.material.current.root == now.roots[1])
    assert leader.shown("rotation_phase", phase="renewing") == 0, "who leads no more knows of no phase"


async def test_where_an_upstream_signs_the_leader_asks_it_and_nobody_makes_a_root(
    client: Client, api_server: ApiServer, clock: Any
) -> None:
    document = "authority: {upstream: {kind: cert-manager}}"
    await api_server.put("/api/v1/namespaces/proa-system/configmaps/proa", data={"mesh.yaml": document})
    async with leading(client, clock) as leader:
        await reached(lambda: api_server.objects("certificaterequests"))
        assert "cert-manager" in leader.material.unready
        (asked,) = api_server.objects("certificaterequests")
        root = new_root(TrustDomain("cluster.local"), clock())
        place = f"/apis/cert-manager.io/v1/namespaces/proa-system/certificaterequests/{asked['metadata']['name']}"
        await api_server.put(place, spec=asked["spec"], status=signed(asked, root))
        leader.upkeep.hasten()
        await reached(lambda: leader.material.current)
        assert leader.material.current
        assert leader.material.current.root == root.issuing.certificate
        assert leader.material.unready == ""
    kept = {each["metadata"]["name"] for each in api_server.objects("secrets")}
    assert kept == {"proa-ca"}


async def test_while_vault_cannot_be_asked_the_present_issuer_stays_and_an_event_says_what_is_missing(
    client: Client, api_server: ApiServer, clock: Any
) -> None:
    document = "authority: {upstream: {kind: vault, server: 'https://vault.example:8200'}}"
    await api_server.put("/api/v1/namespaces/proa-system/configmaps/proa", data={"mesh.yaml": document})
    await create(client, TrustDomain("cluster.local"), clock)
    clock.advance(ALMOST)
    async with leading(client, clock) as leader:
        before = leader.material.current
        await reached(lambda: leader.shown("renewal_blocked") == 1)
        await reached(lambda: "ca.crt of the ConfigMap proa-vault-ca" in str(api_server.objects("events")))
        assert leader.material.current == before is not None
    assert "proa-ca-request" in {each["metadata"]["name"] for each in api_server.objects("secrets")}


async def lost(_: bytes) -> bytes:
    raise CeremonyLost("did not end within 60 s, and was killed")


async def test_a_ceremony_that_is_lost_is_told_of_and_blocks_what_needed_it(
    client: Client, api_server: ApiServer, clock: Any
) -> None:
    await create(client, TrustDomain("cluster.local"), clock)
    clock.advance(ALMOST)
    async with leading(client, clock, lost) as leader:
        before = leader.material.current
        await reached(lambda: leader.shown("renewal_blocked") == 1)
        await wish(client, api_server)
        await reached(lambda: {"RenewalFailed", "RotationFailed"} <= told(api_server).keys())
        for reason in ("RenewalFailed", "RotationFailed"):
            assert "the process that reads the root's key did not end within 60 s" in told(api_server)[reason]
        assert leader.material.current == before is not None


async def test_without_a_first_issuer_for_that_reason_a_replica_is_not_ready_and_says_why(
    client: Client, api_server: ApiServer, clock: Any
) -> None:
    fails = asyncio.Event()

    async def first_lost(asked: bytes) -> bytes:
        if not fails.is_set():
            fails.set()
            return await lost(asked)
        return await within(client)(asked)

    async with leading(client, clock, first_lost) as leader:
        await reached(lambda: "did not end within 60 s" in leader.material.unready or leader.material.current)
        await reached(lambda: "CreationFailed" in told(api_server))
        await reached(lambda: leader.material.current)
        assert leader.material.unready == ""


async def test_who_leads_no_more_waits_for_no_ceremony(client: Client, clock: Any) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def hanging(_: bytes) -> bytes:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return b""

    await create(client, TrustDomain("cluster.local"), clock)
    clock.advance(ALMOST)
    async with leading(client, clock, hanging):
        await begun.wait()
    assert ended.is_set()


async def test_while_no_rotation_is_under_way_a_ceremony_is_held_a_minute_after_its_leader_began_and_once_a_day(
    client: Client, api_server: ApiServer, clock: Any
) -> None:
    held = list[timedelta]()

    async def counted(asked: bytes) -> bytes:
        answer = await within(client)(asked)
        # Of one that is over: another that is under way would see the wish.
        held.append(msgspec.json.decode(asked, type=Asked).now - began)
        return answer

    async def news(leader: Leader, by: timedelta) -> None:
        """Passes as much time, and has the leader look."""
        clock.advance(by)
        seconds = next(another)
        document = f"certificate: {{lifetimeSeconds: {seconds}}}"
        await api_server.put("/api/v1/namespaces/proa-system/configmaps/proa", data={"mesh.yaml": document})
        await reached(lambda: (now := leader.configuration.current) and now.certificate.lifetime_seconds == seconds)

    began, another = clock(), count(3600)
    await create(client, TrustDomain("cluster.local"), clock)
    async with leading(client, clock, counted) as leader:
        await reached(lambda: leader.shown("rotation_phase", phase="resting") == 1)
        await news(leader, timedelta(seconds=59))
        await news(leader, timedelta(seconds=1))
        await reached(lambda: held == [timedelta(minutes=1)])
        await news(leader, timedelta(hours=23))
        await news(leader, timedelta(hours=1))
        await reached(lambda: held == [timedelta(minutes=1), timedelta(days=1, minutes=1)])
        await wish(client, api_server)
        await reached(lambda: leader.shown("rotation_phase", phase="settling") == 1)
    assert len(held) > 2


async def wish(client: Client, server: ApiServer) -> None:
    secret: Any = await client.get(SECRETS, "proa-ca", "proa-system")
    secret["metadata"].setdefault("annotations", {})["proa.dev/rotate"] = '{"wish":"start"}'
    await server.put(f"{SECRET}/proa-ca", **secret)


def told(server: ApiServer) -> dict[str, str]:
    return {each["reason"]: each["note"] for each in server.objects("events")}
