"""JWT-SVIDs by the authority's door: for whom, while the configuration wants them; and the Secret that signs them."""

import asyncio
import json
import ssl
from base64 import b64decode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import grpc.aio
import jwt
import pytest
from structlog.testing import capture_logs

from ca.jwt.messages import CREATE, KEYS, SERVICE, create_request, created, told_keys
from ca.jwt.stored import JWT_SECRET
from kube.client import Client
from support.door import until
from support.istio import CONFIGURATION, NAME, Cluster, Running, open_door, opened

SECRET = f"/api/v1/namespaces/proa-system/secrets/{JWT_SECRET}"
DOMAIN = "spiffe://cluster.local"
TRUSTED = {"kind": "grpc", "trustedNodeAccounts": ["proa-node/proa-node"]}
TOKENS = {
    "authority": {"istio": TRUSTED, "workloadApi": {"kind": "node-agent", "tokens": {"kind": "jwt-svids"}}},
    "interception": {"programmedBy": "node"},
}


@pytest.fixture
async def tokens(cluster: Cluster, cluster_client: Client) -> AsyncIterator[Running]:
    """The door, open and with keys that sign; an agent on the node of a pod of `web`, and a pod of `db` elsewhere."""
    await cluster.put(CONFIGURATION, data={"mesh.yaml": json.dumps(TOKENS)})
    await cluster.pod("agent", "proa-node", namespace="proa-node")
    await cluster.pod("db-1", "db", node="node-2")
    async with open_door(cluster_client) as running:
        await opened(running)
        await until(lambda: bool(cluster.objects("secrets")) and keys_of(cluster))
        async with calling(running) as call:
            while await code(call, KEYS, b"", cluster.token("web-1")) == "UNAVAILABLE":
                pass
        yield running


def keys_of(cluster: Cluster) -> list[str]:
    found = [each for each in cluster.objects("secrets") if each["metadata"]["name"] == JWT_SECRET]
    return sorted(found[0]["data"]) if found else []


@asynccontextmanager
async def calling(running: Running) -> AsyncIterator[Any]:
    """Calls a method with a token, or without one."""
    credentials = grpc.ssl_channel_credentials(running.roots)
    options = (("grpc.ssl_target_name_override", NAME), ("grpc.enable_retries", 0))
    async with grpc.aio.secure_channel(f"127.0.0.1:{running.door.bound[0]}", credentials, options) as channel:

        async def call(method: str, message: bytes, token: str = "") -> bytes:
            shown = (("authorization", f"Bearer {token}"),) if token else ()
            return await channel.unary_unary(f"/{SERVICE}/{method}")(message, metadata=shown, timeout=20)

        yield call


async def code(call: Any, method: str, message: bytes, token: str = "") -> str:
    try:
        await call(method, message, token)
    except grpc.aio.AioRpcError as error:
        return error.code().name
    return "OK"


async def test_a_pod_is_given_tokens_of_its_own_and_an_agent_those_of_its_nodes_pods(
    cluster: Cluster, tokens: Running
) -> None:
    web, agent = cluster.token("web-1"), cluster.token("agent", "proa-node", "proa-node")
    wanted = create_request(("reports",), f"{DOMAIN}/ns/shop/sa/web")
    with capture_logs() as logs:
        async with calling(tokens) as call:
            own = created(await call(CREATE, create_request(("reports",), ""), web))
            asked = created(await call(CREATE, wanted, agent))
            keys = jwt.PyJWKSet.from_json(told_keys(await call(KEYS, b"", agent)).decode())
            assert await code(call, CREATE, create_request(("x",), f"{DOMAIN}/ns/shop/sa/db"), agent) == "UNAVAILABLE"
            assert await code(call, CREATE, wanted, web) == "PERMISSION_DENIED"
            assert await code(call, CREATE, create_request((), ""), web) == "INVALID_ARGUMENT"
            assert await code(call, CREATE, b"\xff", web) == "INVALID_ARGUMENT"
            assert {await code(call, method, wanted) for method in (CREATE, KEYS)} == {"UNAUTHENTICATED"}
    for text in (own, asked):
        claims = jwt.decode(text, keys.keys[0].key, algorithms=["ES256"], audience="reports")
        assert (claims["sub"], claims["iss"]) == (f"{DOMAIN}/ns/shop/sa/web", "https://proa-ca.proa-system.svc:15016")
        assert text not in str(logs)
    issued = [each for each in logs if each["event"] == "issued"]
    assert [(each["door"], each["service_account"]) for each in issued] == [("jwt", "web"), ("jwt", "proa-node")]
    assert {each["reason"] for each in logs if each["event"] == "refused"} >= {"NotOnNode", "NotANodeProxy"}


async def test_without_the_wish_there_are_none(cluster: Cluster, running: Running) -> None:
    async with calling(running) as call:
        for method in (CREATE, KEYS):
            assert await code(call, method, create_request(("x",), ""), cluster.token("web-1")) == "UNIMPLEMENTED"
    assert running.door.discovery == 0
    assert keys_of(cluster) == []


async def test_tokens_begin_and_end_with_the_wish_and_certificates_go_on(cluster: Cluster, tokens: Running) -> None:
    await until(lambda: tokens.door.discovery)
    plain = {**TOKENS, "authority": {"istio": TRUSTED}}
    await cluster.put(CONFIGURATION, data={"mesh.yaml": json.dumps(plain)})
    await until(lambda: tokens.door.discovery == 0 and tokens.door.bound)
    async with calling(tokens) as call:
        message = create_request(("x",), "")
        assert await code(call, CREATE, message, cluster.token("web-1")) in {"UNIMPLEMENTED", "UNAVAILABLE"}


async def test_a_verifier_that_does_not_end_its_request_keeps_no_door_open(tokens: Running) -> None:
    await until(lambda: tokens.door.discovery)
    trusting = ssl.create_default_context(cadata=tokens.roots.decode())
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", tokens.door.discovery, ssl=trusting, server_hostname=NAME
    )
    writer.write(b"POST / HTTP/1.1\r\nHost: proa-ca\r\nContent-Length: 10\r\n\r\n")
    assert b"405" in await reader.readline()
    port = tokens.door.bound[0]
    tokens.stopping.set()
    while await accepted(port):
        pass
    assert tokens.door.discovery
    writer.transport.abort()


async def accepted(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except ConnectionError:
        return False
    writer.close()
    return True


async def test_who_deletes_the_secret_has_another_key_made_that_signs_at_once(
    cluster: Cluster, tokens: Running
) -> None:
    (secret,) = [each for each in cluster.objects("secrets") if each["metadata"]["name"] == JWT_SECRET]
    (before,) = secret["data"].values()
    assert b"PRIVATE KEY" in b64decode(before)
    await cluster.remove(SECRET)
    await until(lambda: keys_of(cluster))
    (secret,) = [each for each in cluster.objects("secrets") if each["metadata"]["name"] == JWT_SECRET]
    assert list(secret["data"].values()) != [before]
    assert tokens.door.bound


async def test_a_secret_that_somebody_spoilt_is_told_and_not_written_over(cluster: Cluster, tokens: Running) -> None:
    assert tokens.door.bound
    await cluster.put(SECRET, data={"key.pem": "c3RyYW5nZQ=="})
    await until(lambda: any(each["reason"] == "JwtKeysNotKept" for each in cluster.objects("events")))
    assert keys_of(cluster) == ["key.pem"]
