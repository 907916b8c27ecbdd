"""The demo itself: the same two pods without Proa and with it, then a certificate rotated under load. Shell."""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final, TypeAlias

import yaml

from demo.admission import admitted
from demo.capture import Capture
from demo.counters import counted, grown
from demo.credentials import pod_identity
from demo.kubelet import RunningPod
from demo.pod import Pod, Volume
from demo.proof import Captured, Counter, Journey, Proof, Request, Rotation, seen_certificates
from demo.traffic import Load, asked, journeys
from demo.world import World, namespace_labels, world
from discovery.model import Transport, Workload
from proa import names

Tell: TypeAlias = Callable[[str], None]
Manifests: TypeAlias = Mapping[str, dict[str, Any]]

_PORT: Final = 8080
_CARGO: Final = b"1200 amphorae of wine"
"""What the server's body says and a capture looks for."""
_AT_A_TIME: Final = 10
"""Requests before the certificate is rotated, and between two looks whether the client has met the new one."""
_PATIENCE: Final = 30.0


@dataclass(frozen=True, slots=True)
class Pair:
    """A server and the client that asks it."""

    web: RunningPod
    client: RunningPod


@dataclass(frozen=True, slots=True)
class Traffic:
    """What was seen of one request to each address of the server."""

    captured: Captured
    requests: tuple[Request, ...]
    journeys: tuple[Journey, ...]
    counters: tuple[Counter, ...]


async def scenario(directory: Path, tell: Tell) -> Proof:
    """Run everything below *directory*, *tell* what happens, and answer what was seen. Raises ProaError."""
    text = (files("demo") / "manifests" / "shop.yaml").read_text(encoding="utf-8")
    documents: list[dict[str, Any]] = list(yaml.safe_load_all(text))
    manifests = {one["metadata"]["name"]: one for one in documents if one["kind"] == "Pod"}
    async with world(directory, namespace_labels(documents)) as around:
        tell("web and client run as they are, without Proa")
        without = await _without_proa(around, manifests)
        tell("the webhook is asked, over TLS, and its patches are applied")
        patched = {name: await admitted(around.webhook, one) for name, one in manifests.items()}
        tell("the injected pods start: interception, then Envoy, then the application")
        pair = await _pair(around, patched, "")
        tell("the client asks the server by its addresses")
        traffic = await _traffic(pair)
        tell("the server's certificate is rotated while requests run")
        rotation = await _rotation(around, pair)
        identities = {
            name: pod_identity(running.pod, around.trust_domain).uri
            for name, running in (("web", pair.web), ("client", pair.client))
        }
    return Proof(
        identities=identities,
        without_injection=without,
        with_injection=traffic.captured,
        requests=traffic.requests,
        journeys=traffic.journeys,
        counters=traffic.counters,
        rotation=rotation,
    )


async def _without_proa(around: World, manifests: Manifests) -> Captured:
    pair = await _pair(around, manifests, "plain-")
    with Capture(_CARGO) as capture:
        await _each_address(pair)
    return capture.captured


async def _pair(around: World, pods: Manifests, prefix: str) -> Pair:
    """Both pods running. The client starts when discovery knows the server, so its first request is mTLS already."""
    web = await around.kubelet.run(pods["web"], f"{prefix}web")
    around.discover([_workload(around, web)])
    return Pair(web, await around.kubelet.run(pods["client"], f"{prefix}client"))


def _workload(around: World, running: RunningPod) -> Workload:
    """What discovery would read of a pod from the API server."""
    injected = names.STATUS in running.pod.metadata.annotations
    return Workload(
        identity=pod_identity(running.pod, around.trust_domain),
        addresses=tuple(ip_address(address) for address in running.network.addresses),
        ports=tuple(port.container_port for one in running.pod.spec.containers for port in one.ports),
        transport=Transport.MTLS if injected else Transport.PLAINTEXT,
    )


async def _traffic(pair: Pair) -> Traffic:
    before = await asyncio.to_thread(counted, pair.client, pair.web)
    with Capture(_CARGO) as capture:
        made = await _each_address(pair)
    seen = await journeys([one for one in made if not one.failure], pair.client, pair.web)
    after = await asyncio.to_thread(counted, pair.client, pair.web)
    return Traffic(capture.captured, made, seen, grown(before, after))


async def _each_address(pair: Pair) -> tuple[Request, ...]:
    return tuple([one for host in pair.web.network.addresses for one in await asked(pair.client, host, _PORT)])


async def _rotation(around: World, pair: Pair) -> Rotation:
    before = around.credentials.latest(pair.web.pod)
    host = pair.web.network.addresses[0]
    with Load(pair.client, host, _PORT) as load:
        await load.more(_AT_A_TIME)
        await asyncio.to_thread(around.kubelet.renew, pair.web, _identity_volume(pair.web.pod))
        after, deadline = around.credentials.latest(pair.web.pod), time.monotonic() + _PATIENCE
        await load.more(_AT_A_TIME)
        while after.fingerprint not in _met(pair, load.made) and time.monotonic() < deadline:
            await load.more(_AT_A_TIME)
        await load.end()
    await journeys([one for one in load.made if not one.failure], pair.client, pair.web)
    serials = around.credentials.serials()
    return Rotation(
        requests=len(load.made),
        failures=tuple(one.failure for one in load.made if one.failure),
        serial_before=before.serial,
        serial_after=after.serial,
        serials_seen=tuple(serials.get(fingerprint, "unknown") for fingerprint in _met(pair, load.made)),
    )


def _met(pair: Pair, made: Iterable[Request]) -> tuple[str, ...]:
    """The fingerprints of the server's certificates, as far as the client's sidecar has told of these requests."""
    served = [one.source for one in made if not one.failure]
    return seen_certificates(pair.client.log(names.PROXY_CONTAINER), served)


def _identity_volume(injected: Pod) -> Volume:
    return next(volume for volume in injected.spec.volumes if volume.name == names.IDENTITY_VOLUME)
