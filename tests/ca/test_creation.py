"""Replicas that start together end with one root; a root that pods trust is never replaced by accident."""

import asyncio
from typing import Any

import pytest

from ca.authority import new_intermediate, new_root
from ca.creation import create, renew
from ca.material import Issuer, Material
from ca.root_secret import roots_secret, stored_roots
from ca.stored import material_secret, stored_material
from ca.trust import TRUST_BUNDLE_NAME, trust_bundle
from kube.client import Client
from kube.failures import Conflict, NotFound
from kube.resources import SECRETS
from proa.errors import Invalid, Refused
from proa.identity import TrustDomain
from support.api_server import ApiServer

PLACE = "/api/v1/namespaces/proa-system/secrets"
BUNDLE = f"/apis/certificates.k8s.io/v1/clustertrustbundles/{TRUST_BUNDLE_NAME}"


@pytest.fixture
def root(trust_domain: TrustDomain, clock: Any) -> Issuer:
    return new_root(trust_domain, clock())


async def stored(client: Client) -> tuple[Material, Issuer]:
    return (
        stored_material(await client.get(SECRETS, "proa-ca", "proa-system")),
        stored_roots(await client.get(SECRETS, "proa-ca-root", "proa-system"))[0],
    )


async def put(api_server: ApiServer, secret: Any) -> None:
    await api_server.put(f"{PLACE}/{secret['metadata']['name']}", **secret)


async def test_replicas_that_start_together_end_with_one_root(
    client: Client, trust_domain: TrustDomain, clock: Any
) -> None:
    await asyncio.gather(*(create(client, trust_domain, clock) for _ in range(5)))
    material, root = await stored(client)
    assert material.root == root.issuing.certificate
    assert material.usable(clock())


async def test_whoever_died_in_between_is_carried_on_from(
    client: Client, api_server: ApiServer, trust_domain: TrustDomain, clock: Any, root: Issuer
) -> None:
    await put(api_server, roots_secret((root,)))
    await create(client, trust_domain, clock)
    material, _ = await stored(client)
    assert material.root == root.issuing.certificate


async def test_an_admins_issuer_is_left_as_it_is(
    client: Client, api_server: ApiServer, trust_domain: TrustDomain, clock: Any, root: Issuer
) -> None:
    theirs = Material(new_intermediate(trust_domain, root, clock()), (root.issuing.certificate,))
    await put(api_server, material_secret(theirs))
    await create(client, trust_domain, clock)
    secret = await client.get(SECRETS, "proa-ca", "proa-system")
    assert stored_material(secret).issuer.certificates == theirs.issuer.certificates


async def test_no_new_root_is_made_while_pods_trust_another(
    client: Client, api_server: ApiServer, trust_domain: TrustDomain, clock: Any, root: Issuer
) -> None:
    trusted: Any = trust_bundle(Material(root, (root.issuing.certificate,)))
    await api_server.put(BUNDLE, spec=trusted["spec"])
    with pytest.raises(Invalid, match="restore the Secret proa-ca or proa-ca-root; or"):
        await create(client, trust_domain, clock)
    with pytest.raises(NotFound):
        await client.get(SECRETS, "proa-ca-root", "proa-system")


async def test_a_renewed_issuer_has_a_new_key_below_the_same_root(
    client: Client, trust_domain: TrustDomain, clock: Any
) -> None:
    await create(client, trust_domain, clock)
    before, root = await stored(client)
    renewed = await renew(client, trust_domain, clock)
    after, same = await stored(client)
    assert after.issuer.certificates == renewed.issuer.certificates != before.issuer.certificates
    assert after.issuer.issuing.public_key != before.issuer.issuing.public_key
    assert after.roots == before.roots
    assert same.certificates == root.certificates


async def test_what_else_an_admin_wrote_into_the_secret_stays(
    client: Client, api_server: ApiServer, trust_domain: TrustDomain, clock: Any
) -> None:
    await create(client, trust_domain, clock)
    secret: Any = await client.get(SECRETS, "proa-ca", "proa-system")
    noted = {**secret["metadata"], "labels": {"team": "security"}}
    await put(api_server, {**secret, "metadata": noted, "data": {**secret["data"], "note": "aGk="}})
    await renew(client, trust_domain, clock)
    after: Any = await client.get(SECRETS, "proa-ca", "proa-system")
    assert (after["data"]["note"], after["metadata"]["labels"]) == ("aGk=", {"team": "security"})


async def test_without_the_roots_key_a_renewal_says_so(
    client: Client, api_server: ApiServer, trust_domain: TrustDomain, clock: Any
) -> None:
    await create(client, trust_domain, clock)
    await api_server.remove(f"{PLACE}/proa-ca-root")
    with pytest.raises(Invalid, match="proa-ca-root: found none"):
        await renew(client, trust_domain, clock)


async def test_another_roots_key_renews_nothing(
    client: Client, api_server: ApiServer, trust_domain: TrustDomain, clock: Any, root: Issuer
) -> None:
    await create(client, trust_domain, clock)
    await put(api_server, roots_secret((root,)))
    with pytest.raises(Invalid, match="found another root"):
        await renew(client, trust_domain, clock)


async def test_a_roots_secret_that_does_not_parse_is_said_and_not_replaced(
    client: Client, api_server: ApiServer, trust_domain: TrustDomain, clock: Any
) -> None:
    await api_server.put(f"{PLACE}/proa-ca-root", data={"tls.crt": "eA=="})
    with pytest.raises(Refused, match="the Secret proa-ca-root is not usable"):
        await create(client, trust_domain, clock)


async def test_of_two_that_renew_at_once_the_stored_one_is_whole(
    client: Client, trust_domain: TrustDomain, clock: Any
) -> None:
    await create(client, trust_domain, clock)
    both = await asyncio.gather(*(renew(client, trust_domain, clock) for _ in range(2)), return_exceptions=True)
    won = [each.issuer.certificates for each in both if isinstance(each, Material)]
    assert all(isinstance(each, Material | Conflict) for each in both)
    assert (await stored(client))[0].issuer.certificates in won
