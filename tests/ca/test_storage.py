"""What a replica issues with follows the Secret, also where its clock does not follow the others'."""

from datetime import timedelta
from typing import Any

from ca.authority import new_intermediate
from ca.creation import create, stored_keys
from ca.material import Material
from ca.stored import material_secret, renewed_secret
from kube.client import Client
from kube.resources import SECRETS
from proa.identity import TrustDomain
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
