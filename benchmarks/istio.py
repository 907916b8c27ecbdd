"""Istio's protocol over TLS on one core: certificates a second, how late at 500 a second and beside bad tokens.

`per_second`: P-256 requests of pods whose tokens were reviewed before, for each second of the server's processor
time (its own threads and grpcio's together), in the best round: a whole call, from the wire to the audit line, which
goes to nowhere. `pure_path_per_second` is the same work without wire, token and log, over and over, which keeps the
caches warm. The flood shows well-made tokens that no API server knows, each once, as fast as a client on the other
core can; how fast that was, stands beside. An API server that answers reviews runs in a process of its own.
"""

import asyncio
import json
import multiprocessing
import os
import sys
import time
from base64 import urlsafe_b64decode
from ipaddress import ip_address
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

import uvloop
from aiohttp import web
from istio_load import CALLS, PODS, Client, flood, hurried, paced
from machine import facts
from prometheus_client import CollectorRegistry

from ca.authority import self_signed_authority
from ca.csr import stub_request
from ca.istio.door import Addresses
from ca.istio.limits import Rate
from ca.istio.population import LivePod, Population
from ca.istio.quota import Quota, Rates
from ca.istio.serving import credential
from ca.profile import WorkloadLeaf
from ca.randomness import new_key
from kube.client import connected
from kube.resources import Key
from proa.clock import system_clock
from proa.doors import Authority, IstioGrpc
from proa.identity import TrustDomain, WorkloadIdentity
from proa.mesh import MeshConfiguration
from proa.telemetry import configure_logging

ROUNDS = 7
MESH = MeshConfiguration(authority=Authority(istio=IstioGrpc()))
DOMAIN = TrustDomain("cluster.local")
UNBOUNDED = Rate(1_000_000, 0.000_001)


async def reviewed(request: web.Request) -> web.Response:
    _, claims, signature = (await request.json())["spec"]["token"].split(".")
    if signature != "good":
        return web.json_response({"status": {"authenticated": False}})
    pod = json.loads(urlsafe_b64decode(claims + "=="))["kubernetes.io"]["pod"]["name"]
    extra = {f"authentication.kubernetes.io/pod-{key}": [pod] for key in ("name", "uid")}
    name, groups = "system:serviceaccount:shop:web", ["system:serviceaccounts"]
    user = {"username": name, "uid": "account", "groups": groups, "extra": extra}
    return web.json_response({"status": {"authenticated": True, "user": user, "audiences": ["istio-ca"]}})


def api_server(told: Any) -> None:
    """On the clients' core."""

    async def run() -> None:
        application = web.Application()
        application.router.add_post("/{rest:.*}", reviewed)
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        told.send(runner.addresses[0][1])
        await asyncio.to_thread(told.recv)

    asyncio.run(run())


def door(told: Any, kubeconfig: str) -> None:
    """The server in a process of its own, on the first core, as `ca.istio.opening` puts it together."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
    configure_logging()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(served(told, Path(kubeconfig)))


async def served(told: Any, kubeconfig: Path) -> None:
    from ca.istio.issuance import Issuance  # noqa: PLC0415 - as in the process, not before the door opens
    from ca.istio.metrics import Metrics  # noqa: PLC0415
    from ca.istio.reviews import Reviews  # noqa: PLC0415
    from ca.istio.server import Server  # noqa: PLC0415

    authority = self_signed_authority(DOMAIN, system_clock)
    population = Population()
    population.account_changed(Key("shop", "web"), "account")
    for number in range(PODS):
        name = f"web-{number}"
        population.pod_changed(Key("shop", name), LivePod(name, "web", "node", (ip_address("127.0.0.1"),)))
    shown = credential(authority, system_clock, None)
    async with connected(kubeconfig) as client:
        around: Any = (SimpleNamespace(authority=authority), SimpleNamespace(current=MESH))
        reviews, quota = Reviews(client, system_clock), Quota(Rates(UNBOUNDED, UNBOUNDED))
        issuance = Issuance(*around, reviews, population, quota, Metrics(CollectorRegistry()))
        server = Server(issuance.answer, lambda: shown, Addresses("127.0.0.1:0", "127.0.0.1:0"))
        await server.open()
        told.send((server.bound[0], authority.trust_bundle.encode(), pure(authority)))
        while await asyncio.to_thread(told.recv):
            told.send((time.process_time(), memory()))
        await server.close()


def pure(authority: Any) -> int:
    """Certificates for each second of processor time without the wire: parse, verify, sign, inspect, print."""
    csr, contents, best = stub_request(new_key()), WorkloadLeaf(WorkloadIdentity(DOMAIN, "shop", "web")), 0.0
    for _ in range(ROUNDS):
        began = time.process_time()
        for _ in range(300):
            _ = authority.sign(csr, contents).pem
        best = max(best, 300 / (time.process_time() - began))
    return round(best)


def memory() -> float:
    """Resident MiB of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


async def measured(told: Any, port: int, roots: bytes) -> dict[str, float]:
    def asked() -> tuple[float, float]:
        told.send(True)  # noqa: FBT003 - go on
        found: tuple[float, float] = told.recv()
        return found

    client, best = Client(port, roots), 0.0
    for number in range(PODS):
        await client.one(number)
    for _ in range(ROUNDS):
        before, _ = asked()
        await hurried(client)
        best = max(best, CALLS / (asked()[0] - before))
    calm = await paced(client)
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    flooding = context.Process(target=flood, args=(theirs, port, roots))
    flooding.start()
    await asyncio.sleep(1.5)
    stormy = await paced(client)
    ours.send("stop")
    rate = await asyncio.to_thread(ours.recv)
    flooding.join()
    await client.close()
    return {
        "per_second": round(best),
        "median_ms_at_500": round(1000 * calm[len(calm) // 2], 2),
        "p99_ms_at_500": round(1000 * calm[len(calm) * 99 // 100], 2),
        "p99_ms_beside_bad_tokens": round(1000 * stormy[len(stormy) * 99 // 100], 2),
        "bad_tokens_per_second": round(rate),
        "server_mib": round(asked()[1], 1),
    }


def main() -> None:
    context = multiprocessing.get_context("spawn")
    (api, api_told), (ours, theirs) = context.Pipe(), context.Pipe()
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    answering = context.Process(target=api_server, args=(api_told,))
    answering.start()
    kubeconfig = {
        "current-context": "x",
        "clusters": [{"name": "x", "cluster": {"server": f"http://127.0.0.1:{api.recv()}"}}],
        "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
        "users": [{"name": "x", "user": {"token": "x"}}],
    }
    with TemporaryDirectory() as directory:
        written = Path(directory) / "kubeconfig"
        written.write_text(json.dumps(kubeconfig))
        os.sched_setaffinity(0, os.sched_getaffinity(answering.pid or 0) | set(range(os.cpu_count() or 1)))
        serving = context.Process(target=door, args=(theirs, str(written)))
        serving.start()
        port, roots, without = ours.recv()
        os.sched_setaffinity(0, {(os.cpu_count() or 1) - 1})
        figures = uvloop.run(measured(ours, port, roots))
    ours.send(False)  # noqa: FBT003 - the end
    api.send(None)
    serving.join()
    answering.join()
    print(json.dumps({"benchmark": "istio", **figures, "pure_path_per_second": without, **facts()}))


if __name__ == "__main__":
    main()
