"""Whom to believe, asked for at the authority's door: by whom, and what is answered while there are no CRLs yet."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import grpc.aio
from cryptography.hazmat.primitives.serialization import Encoding

from ca.revocation.register import REVOCATION_SECRET, register_secret
from ca.trusted.messages import SERVICE, TELL, Trust, trust_told
from kube.client import Client
from support.door import until
from support.istio import CONFIGURATION, NAME, Cluster, Running, open_door, opened
from support.revoked import Revoking

SECRET = f"/api/v1/namespaces/proa-system/secrets/{REVOCATION_SECRET}"
TRUSTED = {"kind": "grpc", "trustedNodeAccounts": ["proa-node/proa-node"]}
PLAIN = {"kind": "config-maps"}
REVOKING: dict[str, Any] = {
    "authority": {
        "istio": TRUSTED,
        "workloadApi": {"kind": "node-agent"},
        "roots": {**PLAIN, "revocation": "crl"},
    },
    "interception": {"programmedBy": "node"},
}


@asynccontextmanager
async def asking(running: Running) -> AsyncIterator[Any]:
    """Asks with a token, or without one: what is told, or the code of the refusal."""
    credentials = grpc.ssl_channel_credentials(running.roots)
    options = (("grpc.ssl_target_name_override", NAME), ("grpc.enable_retries", 0))
    async with grpc.aio.secure_channel(f"127.0.0.1:{running.door.bound[0]}", credentials, options) as channel:

        async def ask(token: str = "") -> Any:
            shown = (("authorization", f"Bearer {token}"),) if token else ()
            try:
                return trust_told(await channel.unary_unary(f"/{SERVICE}/{TELL}")(b"", metadata=shown, timeout=20))
            except grpc.aio.AioRpcError as error:
                return error.code().name

        yield ask


async def told(ask: Any, token: str) -> Trust:
    """Once the door knows it."""
    while isinstance(found := await ask(token), str):
        assert found == "UNAVAILABLE"
    return found


async def test_crls_are_told_to_whoever_is_known_and_nothing_is_while_there_are_none(
    cluster: Cluster, cluster_client: Client
) -> None:
    await cluster.put(CONFIGURATION, data={"mesh.yaml": json.dumps(REVOKING)})
    await cluster.pod("agent", "proa-node", namespace="proa-node")
    agent = cluster.token("agent", "proa-node", "proa-node")
    # In a thread, as it runs loops of its own.
    register = await asyncio.to_thread(lambda: Revoking().register)
    async with open_door(cluster_client) as running:
        await opened(running)
        async with asking(running) as ask:
            assert await ask() == "UNAUTHENTICATED"
            assert await ask(agent) == "UNAVAILABLE"
            secret: Any = register_secret(register)
            await cluster.put(SECRET, data=secret["data"], type=secret["type"])
            found = await told(ask, agent)
    assert found.crls == tuple(crl.public_bytes(Encoding.DER) for crl in register.crls) != ()


async def test_nobody_is_told_where_no_agent_asks_and_the_door_opens_anew_for_the_wish(
    cluster: Cluster, running: Running
) -> None:
    async with asking(running) as ask:
        assert await ask(cluster.token("web-1")) == "UNIMPLEMENTED"
    wish = {**REVOKING, "trustDomainAliases": ["former.local"], "authority": dict(REVOKING["authority"], roots=PLAIN)}
    former = running.door.bound
    await cluster.put(CONFIGURATION, data={"mesh.yaml": json.dumps(wish)})
    await until(lambda: running.door.bound not in ((), former))
    async with asking(running) as ask:
        found = await told(ask, cluster.token("web-1"))
    assert ([each.name for each in found.aliases], found.crls) == (["former.local"], ())
