"""What a replica issues with follows the Secret, also where its clock does not follow the others'."""

import asyncio
from datetime import timedelta
from typing import Any

from ca.authority import new_intermediate
from ca.ceremony.asking import Ceremony
from ca.creation import create, stored_keys
from ca.material import Material
from ca.metrics import Metrics
from ca.reports import Reports
from ca.storage import Issuing, LiveMaterial
from ca.stored import material_secret, renewed_secret
from kube.client import Client
from kube.configuration import LiveConfiguration
from kube.resources import SECRETS
from proa.identity import TrustDomain
from support.ceremonies import within
from support.following import followed
from support.reaching import reached

DOMAIN = TrustDomain("cluster.local")
MINUTE = timedelta(minutes=1)


async def test_a_replica_whose_clock_is_behind_issues_with_the_next_issuer_as_soon_as_it_is_valid_there(
    client: Client, clock: Any
) -> None:
    await create(client, DOMAIN, clock)
    async with followed(client, clock) as material:
        former = material.current
        secret: Any = await client.get(SECRETS, "proa-ca", "proa-system")
        (root,) = await stored_keys(client)
        following = Material(new_intermediate(DOMAIN, root, clock() + 4 * MINUTE), (root.issuing.certificate,))
        await client.replace(SECRETS, renewed_secret(secret, material_secret(following)))
        await reached(lambda: material.problem)
        assert material.current == former
        clock.advance(4 * MINUTE)
        await reached(lambda: material.current == following)
        assert (material.problem, material.unready) == ("", "")


async def test_the_leader_makes_the_first_issuer_and_others_only_where_it_does_not_come_to_it(
    client: Client, clock: Any
) -> None:
    made = list[str]()

    async def serving(name: str, others: float, *, leads: bool) -> None:
        async def held(asked: bytes) -> bytes:
            made.append(name)
            return await within(client)(asked)

        metrics, stopping = Metrics(), asyncio.Event()
        configuration, reports = LiveConfiguration(client, "proa", metrics.registry), Reports(client, clock)
        issuing = Issuing(Ceremony(held, clock), others=others)
        material = LiveMaterial(client, configuration, clock, metrics, reports, issuing)
        async with asyncio.TaskGroup() as group:
            parts = (configuration.service, material.service, *((material.lead,) if leads else ()))
            for part in parts:
                group.create_task(part(stopping))
            await reached(lambda: material.current)
            stopping.set()

    await asyncio.gather(serving("leader", 3600, leads=True), serving("other", 3600, leads=False))
    assert made == ["leader"]
    await client.delete(SECRETS, "proa-ca", "proa-system")
    await serving("other", 0.01, leads=False)
    assert made == ["leader", "other"]
