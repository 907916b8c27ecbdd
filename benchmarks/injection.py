"""How long an injection takes: in process, from a review's bytes to its answer's, and over HTTPS on one core.

In process, `microseconds` is the best of several rounds in processor time, so that other load on the machine does
not count. Over HTTPS the server has one core to itself and the client another; each of the client's keep-alive
connections has one review under way at a time, as the API server's would.
"""

import asyncio
import json
import multiprocessing
import os
import socket
import ssl
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import uvloop
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from machine import facts

from proa import names
from proa.mesh import MeshConfiguration
from proa.running import run_until_stopped
from proa.telemetry import configure_logging
from webhook.admission import admission
from webhook.review import admission_request, review
from webhook.server import application, https_service
from webhook.sidecar import sidecar

ROUNDS = 15
CALLS_A_ROUND = 300
CONNECTIONS = (1, 8)
REVIEWS = 8000
"""Over HTTPS, for each number of connections."""
SETTINGS = {
    "proa.dev/sidecar": "regular",
    "proa.dev/hold": "true",
    "proa.dev/proxy-cpu-limit": "2",
    "proa.dev/proxy-memory-limit": "none",
    "proa.dev/termination-drain": "10s",
    "proa.dev/log-level": "info",
    "proa.dev/log-format": "json",
    "proa.dev/access-log": "off",
}
LABELS = {names.INJECT: "enabled"}


def review_of(variables: int, annotations: dict[str, str] | None = None) -> bytes:
    """The review of a pod as a ReplicaSet makes it, with so many environment variables."""
    mount = {"name": "kube-api-access-x2x8f", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"}
    container = {
        "name": "app",
        "image": "shop/web:1.2.3",
        "ports": [{"containerPort": 8080, "protocol": "TCP"}],
        "env": [{"name": f"VARIABLE_{number}", "value": f"value of {number}"} for number in range(variables)],
        "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "256Mi"}},
        "volumeMounts": [mount],
        "livenessProbe": {"httpGet": {"path": "/live", "port": 8080}},
        "readinessProbe": {"httpGet": {"path": "/ready", "port": 8080}},
    }
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "generateName": "web-6d4cf56db6-",
            "namespace": "demo",
            "labels": {"app": "web", "pod-template-hash": "6d4cf56db6"},
            **({"annotations": annotations} if annotations else {}),
            "managedFields": [
                {"manager": "kube-controller-manager", "operation": "Update", "fieldsV1": {"f:spec": {}}}
            ],
        },
        "spec": {
            "containers": [container],
            "volumes": [{"name": "kube-api-access-x2x8f", "projected": {"sources": []}}],
            "serviceAccountName": "web",
        },
    }
    kind = {"group": "", "version": "v1", "kind": "Pod"}
    request = {"uid": "705ab4f5-6393-11e8", "kind": kind, "operation": "CREATE", "namespace": "demo", "object": pod}
    return json.dumps({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}).encode()


def microseconds(call: Callable[[], object]) -> float:
    """Processor time of one call, in the best round."""
    best = float("inf")
    for _ in range(ROUNDS):
        start = time.process_time()
        for _ in range(CALLS_A_ROUND):
            call()
        best = min(best, (time.process_time() - start) / CALLS_A_ROUND)
    return round(best * 1e6, 1)


def in_process(body: bytes) -> dict[str, float]:
    configuration = MeshConfiguration()
    added = sidecar(configuration)

    def answer() -> bytes:
        return review(admission(admission_request(body), LABELS, configuration, added).response)

    return {"request_bytes": len(body), "answer_bytes": len(answer()), "microseconds": microseconds(answer)}


def certificate(path: Path) -> None:
    """A certificate for the loopback that is its own root, and its key."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "webhook")])
    loopback = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    built = builder.not_valid_before(now - timedelta(hours=1)).not_valid_after(now + timedelta(hours=1))
    pem, encoding = built.add_extension(loopback, critical=False).sign(key, hashes.SHA256()), serialization.Encoding.PEM
    private = key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(private + pem.public_bytes(encoding))


def serve(listening: socket.socket, pem: Path) -> None:
    """The webhook in a process of its own, on the first core."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    configure_logging()
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(pem)
    service = https_service(application(MeshConfiguration(), lambda _: LABELS), listening, tls)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run_until_stopped(service))


@contextmanager
def served(pem: Path) -> Iterator[tuple[str, int]]:
    listening = socket.create_server(("127.0.0.1", 0))
    process = multiprocessing.get_context("fork").Process(target=serve, args=(listening, pem))
    process.start()
    try:
        yield listening.getsockname()
    finally:
        listening.close()
        process.terminate()
        process.join()


async def client(address: tuple[str, int], tls: ssl.SSLContext, request: bytes, taken: list[float], share: int) -> None:
    """*share* reviews one after the other on one connection; what each took in seconds goes to *taken*."""
    reader, writer = await asyncio.open_connection(*address, ssl=tls)
    for _ in range(share):
        start = time.perf_counter()
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            sys.exit(head.decode())
        length = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
        await reader.readexactly(int(length.split(b":")[1]))
        taken.append(time.perf_counter() - start)
    writer.close()


async def load(address: tuple[str, int], pem: Path, body: bytes, connections: int) -> dict[str, Any]:
    tls = ssl.create_default_context(cafile=str(pem))
    fields = f"Host: webhook\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    request = f"POST /inject HTTP/1.1\r\n{fields}\r\n\r\n".encode() + body
    warm: list[float] = []
    await client(address, tls, request, warm, 200)
    taken: list[float] = []
    start = time.perf_counter()
    share = REVIEWS // connections
    await asyncio.gather(*(client(address, tls, request, taken, share) for _ in range(connections)))
    seconds = time.perf_counter() - start
    taken.sort()
    return {
        "connections": connections,
        "per_second": round(len(taken) / seconds),
        "p50_milliseconds": round(taken[len(taken) // 2] * 1e3, 2),
        "p99_milliseconds": round(taken[len(taken) * 99 // 100] * 1e3, 2),
    }


def over_https(body: bytes) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as directory:
        pem = Path(directory) / "webhook.pem"
        certificate(pem)
        with served(pem) as address:
            os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                return [runner.run(load(address, pem, body, connections)) for connections in CONNECTIONS]


if __name__ == "__main__":
    ordinary, large, asking = review_of(3), review_of(2000), review_of(3, SETTINGS)
    figures = {
        "benchmark": "injection",
        "in_process": {
            "ordinary": in_process(ordinary),
            "2000_variables": in_process(large),
            "settings": in_process(asking),
        },
        "https_one_core": over_https(ordinary),
        "machine": facts(),
    }
    print(json.dumps(figures))
