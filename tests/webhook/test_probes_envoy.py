"""Probes of an injected pod under strict mTLS, through a real Envoy: each kind, dead or alive, and nothing beside."""

import json
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonpatch
import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from proa import names
from proa.mesh import MeshConfiguration, PeerTls
from support.probed import SERVING, GrpcApp, WebApp, grpc_answer, listening, status_of
from webhook.decision import Subject
from webhook.injection import injection
from webhook.pod import Pod
from webhook.sidecar import sidecar

pytestmark = pytest.mark.netns

POD = {"IPv4": "10.88.0.2", "IPv6": "fd88::2"}
STRICT = MeshConfiguration(peer_tls=PeerTls.STRICT)
HTTP, HTTPS, GRPC, TCP = 8080, 8443, 9000, 7000
CONTAINER = {
    "name": "app",
    "ports": [{"name": "web", "containerPort": HTTP}],
    "readinessProbe": {"httpGet": {"path": "/ready?full=1", "port": "web"}, "periodSeconds": 1},
    "livenessProbe": {"tcpSocket": {"port": TCP}, "periodSeconds": 2},
    "startupProbe": {"grpc": {"port": GRPC}},
    "lifecycle": {"preStop": {"httpGet": {"path": "/drain$(POD_IP)", "port": HTTP}}},
}
SECURE = {
    "name": "secure",
    "readinessProbe": {
        "httpGet": {
            "path": "/secure",
            "port": HTTPS,
            "scheme": "HTTPS",
            "httpHeaders": [{"name": "X-Forwarded-Proto", "value": "https"}],
        }
    },
}


@dataclass(frozen=True)
class Scene:
    """*ports* are where the kubelet now asks, by what the application listens on."""

    peer: Any
    sidecar: Any
    ports: dict[int, int]
    host: str
    app: WebApp
    secure: WebApp

    def status(self, port: int, target: str, method: str = "GET", **more: Any) -> int:
        return status_of(self.peer, self.host, self.ports[port], target, method, **more)

    def stat(self, port: int, name: str) -> int:
        """Of the sidecar's cluster behind a probe."""
        return int(self.sidecar.stat(f"cluster.probe-{self.ports[port]}.{name}"))

    def failures(self, port: int) -> tuple[int, int]:
        """How many requests of probes found nobody there, and how many waited in vain."""
        return self.stat(port, "upstream_cx_connect_fail"), self.stat(port, "upstream_rq_timeout")


def injected() -> Any:
    pod = {"metadata": {"name": "web", "namespace": "demo"}, "spec": {"containers": [CONTAINER, SECURE]}}
    subject = Subject(msgspec.convert(pod, Pod), "demo", {names.INJECT: "enabled"}, STRICT)
    patch = msgspec.json.encode(injection(subject, sidecar(STRICT), lambda: pod).operations)
    return jsonpatch.apply_patch(pod, json.loads(patch))


def own_arguments(pod: Any, address: str) -> tuple[list[str], list[str]]:
    """What this pod's Envoy and proa-init are told beside what all are told, as the kubelet expands it."""
    init, proxy = pod["spec"]["initContainers"]
    plain = json.loads(bytes(sidecar(STRICT).proxy))
    assert {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}} in proxy["env"]
    own = proxy["args"][len(plain["args"]) :]
    expanded = [word.replace("$$", "\0").replace("$(POD_IP)", address).replace("\0", "$") for word in own]
    return expanded, init["command"][1:]


@pytest.fixture(scope="module", params=POD)
def scene(
    request: Any,
    new_rooms: Any,
    sidecar_in: Any,
    authority_of_tests: Any,
    self_signed: ssl.SSLContext,
) -> Iterator[Scene]:
    host = POD[request.param]
    pod = injected()
    own, init = own_arguments(pod, host)
    app, secure = pod["spec"]["containers"]
    ports = {
        HTTP: app["readinessProbe"]["httpGet"]["port"],
        TCP: app["livenessProbe"]["httpGet"]["port"],
        GRPC: app["startupProbe"]["grpc"]["port"],
        HTTPS: secure["readinessProbe"]["httpGet"]["port"],
    }
    assert app["lifecycle"]["preStop"]["httpGet"]["port"] == ports[HTTP]
    with ExitStack() as stack:
        room, peer = stack.enter_context(new_rooms())
        # On the pod's address alone, as some applications listen.
        web = stack.enter_context(WebApp(room, (host, HTTP)))
        tls = stack.enter_context(WebApp(room, (host, HTTPS), self_signed))
        running = stack.enter_context(sidecar_in(room, STRICT, authority_of_tests.files("ns/demo/sa/web"), own, init))
        yield Scene(peer, running, ports, host, web, tls)


@pytest.fixture(scope="module")
def self_signed(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    """A server's context with a certificate that nobody can verify."""
    pem: Path = tmp_path_factory.mktemp("tls") / "server.pem"
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "nobody")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now - timedelta(1), now + timedelta(1))
    encoding = serialization.Encoding.PEM
    private = key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    pem.write_bytes(private + builder.sign(key, hashes.SHA256()).public_bytes(encoding))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pem)
    return context


def test_the_application_itself_is_not_reached_without_mtls(scene: Scene) -> None:
    before = len(scene.app.requests)
    with pytest.raises(OSError, match=r"reset|closed"):
        status_of(scene.peer, scene.host, HTTP, "/ready?full=1")
    assert len(scene.app.requests) == before


def test_an_http_probe_gets_the_applications_answer(scene: Scene) -> None:
    assert scene.status(HTTP, "/ready?full=1") == 200
    scene.app.status["/ready?full=1"] = 503
    assert scene.status(HTTP, "/ready?full=1") == 503
    del scene.app.status["/ready?full=1"]
    assert scene.status(HTTP, "/ready?full=1") == 200


def test_the_application_sees_the_kubelets_request_and_nothing_of_the_sidecars(scene: Scene) -> None:
    sent = {"User-Agent": "kube-probe/1.37", "Accept": "*/*", "X-Own": "Ü".encode("latin-1").decode("latin-1")}
    assert scene.status(HTTP, "/ready?full=1", headers=sent) == 200
    method, target, headers = scene.app.requests[-1]
    assert (method, target) == ("GET", "/ready?full=1")
    assert headers.pop("host").endswith(f":{scene.ports[HTTP]}")
    headers.pop("connection", None)
    # http.client asks for that by itself.
    headers.pop("accept-encoding")
    assert headers == {name.lower(): value for name, value in sent.items()}


def test_a_header_of_the_probe_that_the_sidecar_would_set_stays_the_probes(scene: Scene) -> None:
    assert scene.status(HTTPS, "/secure", headers={"X-Forwarded-Proto": "https"}) == 200
    assert scene.secure.requests[-1][2]["x-forwarded-proto"] == "https"


def test_a_host_header_of_the_probe_arrives(scene: Scene) -> None:
    assert scene.status(HTTP, "/ready?full=1", headers={"Host": "shop.example.com"}) == 200
    assert scene.app.requests[-1][2]["host"] == "shop.example.com"


def test_a_redirect_is_a_success_that_leads_nowhere(scene: Scene) -> None:
    scene.app.status["/ready?full=1"] = 302
    # status_of asserts that there is no Location.
    assert scene.status(HTTP, "/ready?full=1") == 302
    del scene.app.status["/ready?full=1"]


def test_a_hook_gets_through_and_its_path_is_no_variable(scene: Scene) -> None:
    assert scene.status(HTTP, "/drain$(POD_IP)") == 200
    assert scene.app.requests[-1][:2] == ("GET", "/drain$(POD_IP)")


def test_an_https_probe_reaches_an_application_whose_certificate_nobody_verifies(scene: Scene) -> None:
    assert scene.status(HTTPS, "/secure") == 200
    assert scene.secure.requests[-1][:2] == ("GET", "/secure")


@pytest.mark.parametrize(
    ("method", "target", "port"),
    [
        ("GET", "/", HTTP),
        ("GET", "/ready", HTTP),
        ("GET", "/ready?full=2", HTTP),
        ("GET", "/ready?full=1&x=2", HTTP),
        ("GET", "/ready/../admin?full=1", HTTP),
        ("GET", "//ready?full=1", HTTP),
        ("GET", "/ready%3ffull=1", HTTP),
        ("GET", "/READY?full=1", HTTP),
        ("GET", "/admin", HTTP),
        ("POST", "/ready?full=1", HTTP),
        ("DELETE", "/ready?full=1", HTTP),
        ("GET", "/secure/", HTTPS),
        ("POST", "/tcp", TCP),
        ("GET", "/", TCP),
        ("GET", "/tcp?", TCP),
    ],
)
def test_a_probe_port_answers_nothing_but_its_probe(scene: Scene, method: str, target: str, port: int) -> None:
    before = len(scene.app.requests), len(scene.secure.requests)
    assert scene.status(port, target, method) == 404
    assert (len(scene.app.requests), len(scene.secure.requests)) == before


def test_an_http_probe_port_takes_no_upgrade_and_no_tunnel(scene: Scene) -> None:
    before = len(scene.app.requests)
    assert scene.status(HTTP, f"{scene.host}:{HTTP}", "CONNECT") in {400, 403, 404}
    scene.status(HTTP, "/ready?full=1", headers={"Upgrade": "websocket", "Connection": "Upgrade"})
    assert all("upgrade" not in headers for _, _, headers in scene.app.requests[before:])


def test_a_grpc_probe_gets_the_applications_answer_and_a_dead_ones_none(scene: Scene) -> None:
    port = scene.ports[GRPC]
    with GrpcApp(scene.sidecar.room, (scene.host, GRPC)):
        assert grpc_answer(scene.peer, scene.host, port) == SERVING
        assert grpc_answer(scene.peer, scene.host, port, "/shop.Orders/Cancel") == b""
        assert grpc_answer(scene.peer, scene.host, port, "/grpc.health.v1.Health/Watch") == b""
    refused, late = scene.failures(GRPC)
    assert grpc_answer(scene.peer, scene.host, port) == b""
    assert scene.failures(GRPC) == (refused + 1, late)


def test_a_tcp_probe_follows_the_application(scene: Scene, waiting: Callable[..., Any]) -> None:
    """Within half a period, as the next look at it decides. Were these as seldom as Envoy's own, each minute, it would
    be waited for in vain."""
    assert scene.status(TCP, "/tcp") == 503
    with listening(scene.sidecar.room, (scene.host, TCP)):
        before = scene.stat(TCP, "health_check.failure")
        waiting(lambda: scene.status(TCP, "/tcp") == 200)
        # One may have been under way.
        assert 0 < scene.stat(TCP, "health_check.failure") <= before + 1
    before = scene.stat(TCP, "health_check.success")
    waiting(lambda: scene.status(TCP, "/tcp") == 503)
    assert 0 < scene.stat(TCP, "health_check.success") <= before + 1


def test_a_dead_applications_http_probe_fails_at_once_though_another_listens_beside_it(scene: Scene) -> None:
    scene.app.__exit__()
    try:
        with WebApp(scene.sidecar.room, ("127.0.0.1", HTTP)):
            refused, late = scene.failures(HTTP)
            assert scene.status(HTTP, "/ready?full=1") == 503
            assert scene.failures(HTTP) == (refused + 1, late)
    finally:
        scene.app.__enter__()
    assert scene.status(HTTP, "/ready?full=1") == 200
