"""Istio's own stubs, with Go's gRPC, TLS and verifier, against the authority's door, which needs no cluster here."""

import asyncio
import json
from pathlib import Path

import pytest

from kube.client import connected
from launcher import builds
from support.istio import NAME, OPEN, Cluster, open_door, opened

pytestmark = pytest.mark.at_any_time


async def test_istios_own_stubs_get_a_certificate_by_token_and_renew_it_by_certificate(tmp_path: Path) -> None:
    program = builds.built(builds.ISTIO)
    cluster = Cluster()
    await cluster.start()
    await cluster.put("/api/v1/namespaces/proa-system/configmaps/proa", data={"mesh.yaml": OPEN})
    await cluster.pod("web-1")
    async with connected(cluster.kubeconfig(tmp_path)) as client, open_door(client) as running:
        await opened(running)
        roots, token = tmp_path / "roots.pem", tmp_path / "token"
        roots.write_bytes(running.roots)
        token.write_text(cluster.token("web-1"))
        addresses = [f"127.0.0.1:{port}" for port in running.door.bound]
        pipe = asyncio.subprocess.PIPE
        asking = await asyncio.create_subprocess_exec(program, *addresses, NAME, roots, token, stdout=pipe, stderr=pipe)
        said, failed = await asking.communicate()
    await cluster.stop()
    assert asking.returncode == 0, failed.decode()
    identity = "spiffe://cluster.local/ns/shop/sa/web"
    assert json.loads(said) == {"token": identity, "certificate": identity, "forged": "Unauthenticated"}
