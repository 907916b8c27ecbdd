"""Istio's protocol over TLS on one core: certificates a second, and how late at 500 a second.

`per_second`: P-256 requests of pods whose tokens were reviewed before, for each second of the server's processor
time (its own threads and grpcio's together), in the best round: a whole call, from the wire to the audit line, which
goes to nowhere. `pure_path_per_second` is the same work without wire, token and log, over and over, which keeps the
caches warm, and `nothing_per_second` the wire without the work: the same calls and answers of the same length.
`bare_sign_and_verify_per_second` is of the library alone, once each, as in `signing.py`: by it machines compare.

`late` is by how much the clients themselves were behind their own schedule. An API server that answers reviews runs in
a process of its own.
"""

import asyncio
import gc
import json
import math
import multiprocessing
import os
import sys
import time
from base64 import urlsafe_b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

import uvloop
from aiohttp import web
from istio_load import CALLS, NOTHING, PODS, Client, hurried, paced
from istio_load import METHOD as CREATE
from machine import facts
from prometheus_client import CollectorRegistry
from signing import bare, rate

from ca.authority import self_signed_authority
from ca.csr import stub_request
from ca.istio.door import Addresses
from ca.istio.limits import Rate
from ca.istio.messages import METHOD, SERVICE
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
WORKLOAD = WorkloadLeaf(WorkloadIdentity(DOMAIN, "shop", "web"))
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
    gc.freeze()  # as `ca.__main__`
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
    about_as_long = authority.sign(stub_request(new_key()), WORKLOAD).pem.encode() + authority.trust_bundle.encode()

    async def nothing(_: Any) -> bytes:
        return about_as_long

    async with connected(kubeconfig) as client:
        around: Any = (SimpleNamespace(authority=authority), SimpleNamespace(current=MESH))
        reviews, quota = Reviews(client, system_clock), Quota(Rates(UNBOUNDED, UNBOUNDED))
        issuance = Issuance(*around, reviews, population, quota, Metrics(CollectorRegistry()))
        answers = {SERVICE: {METHOD: issuance.answer, "Nothing": nothing}}
        server = Server(answers, lambda: shown, Addresses("127.0.0.1:0", "127.0.0.1:0"))
        await server.open()
        told.send((server.bound[0], authority.trust_bundle.encode(), pure(authority)))
        while await asyncio.to_thread(told.recv):
            told.send((time.process_time(), memory()))
        await server.close()


def pure(authority: Any) -> int:
    """Certificates for each second of processor time without the wire: parse, verify, sign, inspect, print."""
    csr = stub_request(new_key())
    return round(rate(lambda: authority.sign(csr, WORKLOAD).pem))


def memory() -> float:
    """Resident MiB of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


@dataclass(frozen=True)
class Door:
    """A running one: its port, the roots of its certificate, and what the same work takes without wire and token."""

    told: Any
    port: int
    roots: bytes
    pure_per_second: int

    def spent(self) -> tuple[float, float]:
        """Processor seconds of the server until now, and its resident MiB."""
        self.told.send(True)  # noqa: FBT003 - go on
        found: tuple[float, float] = self.told.recv()
        return found


@contextmanager
def running() -> Iterator[Door]:
    """The door on the first core; this process is left on the last one, beside the API server."""
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
        os.sched_setaffinity(0, set(range(os.cpu_count() or 1)))
        serving = context.Process(target=door, args=(theirs, str(written)))
        serving.start()
        port, roots, pure_per_second = ours.recv()
        os.sched_setaffinity(0, {(os.cpu_count() or 1) - 1})
        yield Door(ours, port, roots, pure_per_second)
    ours.send(False)  # noqa: FBT003 - the end
    api.send(None)
    serving.join()
    answering.join()


async def measured(running: Door) -> dict[str, float]:
    gc.disable()  # the clients': what it takes is not the server's to answer for
    figures = {
        "per_second": await in_a_hurry(running, CREATE),
        "nothing_per_second": await in_a_hurry(running, NOTHING),
    }
    client = Client(running.port, running.roots)
    took, late = await paced(client)
    await client.close()
    sent = {"late_median_ms": milliseconds(late, 50), "late_p99_ms": milliseconds(late, 99)}
    return {**figures, **latencies("at_500", took), **sent, "server_mib": round(running.spent()[1], 1)}


async def in_a_hurry(running: Door, method: str) -> int:
    """Calls for each second of the server's processor time, in the best round."""
    client, best = Client(running.port, running.roots, method), 0.0
    for number in range(PODS):
        await client.one(number)
    for _ in range(ROUNDS):
        before, _ = running.spent()
        await hurried(client)
        best = max(best, CALLS / (running.spent()[0] - before))
    await client.close()
    return round(best)


def latencies(when: str, found: list[float]) -> dict[str, float]:
    """Of *found*, seconds in order."""
    return {
        f"median_ms_{when}": milliseconds(found, 50),
        f"p99_ms_{when}": milliseconds(found, 99),
        f"failed_{when}": found.count(math.inf),
    }


def milliseconds(found: list[float], percent: int) -> float:
    """The percentile of *found*, seconds in order."""
    return round(1000 * found[len(found) * percent // 100], 2)


def main() -> None:
    with running() as found:
        figures = uvloop.run(measured(found))
    figures |= {"pure_path_per_second": found.pure_per_second, "bare_sign_and_verify_per_second": round(bare())}
    print(json.dumps({"benchmark": "istio", **figures, **facts()}))


if __name__ == "__main__":
    main()
