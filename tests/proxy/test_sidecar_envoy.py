"""A real Envoy with our bootstrap, and clients of every kind: who is let in, who is not, and what is shown to whom."""

import json
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from discovery.directory import publish
from proa import names
from proa.containers import AccessLog, Proxy
from proa.mesh import MeshConfiguration, PeerTls
from support.credentials import Credential
from support.echo import BYTES, said

pytestmark = pytest.mark.netns

POD = {"IPv4": "10.88.0.2", "IPv6": "fd88::2"}
APP = 8080
HELLO = b"hello, whoever you are"
WEB = "ns/shop/sa/web"
CLIENT = "ns/shop/sa/client"


@dataclass(frozen=True)
class Scene:
    """A pod with a sidecar and an application that says back what it hears; and its peer."""

    sidecar: Any
    peer: Any
    app: Any
    strict: bool

    def reached(self) -> int:
        return len(self.app.visits)

    def exchanged(self, credential: Credential, family: str = "IPv4") -> "Exchange":
        """Say hello from the peer by mTLS."""
        with self.peer.connected(POD[family], APP) as plain:
            try:
                with credential.context().wrap_socket(plain) as secure:
                    secure.sendall(HELLO)
                    heard = secure.recv(4096)
                    return Exchange(heard, secure.getpeercert(binary_form=True) or b"")
            except OSError as error:
                return Exchange(str(error).encode(), b"")


@dataclass(frozen=True)
class Exchange:
    heard: bytes
    server: bytes

    @property
    def serial(self) -> int:
        return x509.load_der_x509_certificate(self.server).serial_number


@pytest.fixture(scope="module", params=PeerTls)
def scene(request: Any, new_rooms: Any, sidecar_in: Any, authority_of_tests: Any, echo: Any) -> Iterator[Scene]:
    configuration = MeshConfiguration(peer_tls=request.param)
    with ExitStack() as stack:
        pod, peer = stack.enter_context(new_rooms())
        app = stack.enter_context(echo(pod, APP))
        sidecar = stack.enter_context(sidecar_in(pod, configuration, authority_of_tests.files(WEB)))
        yield Scene(sidecar, peer, app, strict=request.param is PeerTls.STRICT)


only_strict = pytest.mark.parametrize("scene", [PeerTls.STRICT], indirect=True)
only_permissive = pytest.mark.parametrize("scene", [PeerTls.PERMISSIVE], indirect=True)


@pytest.fixture
def member(authority_of_tests: Any) -> Credential:
    return Credential(authority_of_tests.files(CLIENT))


@pytest.mark.parametrize("family", POD)
def test_a_workload_of_the_mesh_reaches_the_application(scene: Scene, member: Credential, family: str) -> None:
    before = scene.reached()
    assert scene.exchanged(member, family).heard == HELLO
    (visit,) = scene.app.visits[before:]
    # The source by which the interception rules know the sidecar's last hop.
    assert visit.client == {"IPv4": "127.0.0.6", "IPv6": "::6"}[family]
    assert visit.said == HELLO


def test_the_server_shows_the_pods_own_identity(scene: Scene, member: Credential) -> None:
    certificate = x509.load_der_x509_certificate(scene.exchanged(member).server)
    uris = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert uris.get_values_for_type(x509.UniformResourceIdentifier) == [f"spiffe://cluster.local/{WEB}"]


def refused(scene: Scene, credential: Credential) -> bool:
    """No connection came to the application, and the client heard nothing of it."""
    before, passed = scene.reached(), scene.sidecar.stat("cluster.InboundPassthroughCluster.upstream_cx_total")
    heard = scene.exchanged(credential).heard
    assert HELLO not in heard
    return (scene.reached(), scene.sidecar.stat("cluster.InboundPassthroughCluster.upstream_cx_total")) == (
        before,
        passed,
    )


def test_a_client_without_a_certificate_is_refused(scene: Scene, member: Credential) -> None:
    assert refused(scene, replace(member, shown=False))


def test_a_client_of_another_authority_is_refused(
    scene: Scene, authority_of_tests: Any, another_authority: Any
) -> None:
    stranger = another_authority.files(CLIENT, roots=authority_of_tests.ca.trust_bundle)
    assert refused(scene, Credential(stranger))


@pytest.mark.parametrize("domain", ["other.local", "cluster.local.evil", "cluster"])
def test_a_client_of_another_trust_domain_is_refused_though_its_root_is_ours(
    scene: Scene, authority_of_tests: Any, domain: str
) -> None:
    assert refused(scene, Credential(authority_of_tests.files(f"spiffe://{domain}/{CLIENT}")))


def test_tls_1_2_is_refused(scene: Scene, member: Credential) -> None:
    assert refused(scene, replace(member, newest=ssl.TLSVersion.TLSv1_2))


def test_a_session_is_never_resumed(scene: Scene, member: Credential) -> None:
    """A resumed session would go by the roots of an earlier handshake, and outlive a rotation."""
    context = member.context()
    session: ssl.SSLSession | None = None
    for _ in range(2):
        with scene.peer.connected(POD["IPv4"], APP) as plain, context.wrap_socket(plain, session=session) as secure:
            secure.sendall(HELLO)
            assert secure.recv(4096) == HELLO
            assert not secure.session_reused
            session = secure.session
            assert session is None or not session.has_ticket


def test_an_application_that_speaks_first_is_heard(scene: Scene, member: Credential, echo: Any) -> None:
    with (
        echo(scene.sidecar.room, 3306, greeting=b"I speak first"),
        scene.peer.connected(POD["IPv4"], 3306) as plain,
        member.context().wrap_socket(plain) as secure,
    ):
        assert secure.recv(4096) == b"I speak first"
        secure.sendall(HELLO)
        assert secure.recv(4096) == HELLO


@only_permissive
def test_an_application_that_speaks_first_is_heard_without_mtls_too(scene: Scene, echo: Any) -> None:
    """Late: Envoy first waits for a client that would begin a handshake."""
    with echo(scene.sidecar.room, 3307, greeting=b"I speak first"), scene.peer.connected(POD["IPv4"], 3307) as plain:
        assert plain.recv(4096) == b"I speak first"


@only_strict
@pytest.mark.parametrize("alpn", [(), ("h2", "http/1.1")])
def test_where_mtls_is_strict_the_applications_own_tls_is_refused(
    scene: Scene, member: Credential, alpn: tuple[str, ...]
) -> None:
    assert refused(scene, replace(member, alpn=alpn))


@only_permissive
@pytest.mark.parametrize("alpn", [(), ("h2", "http/1.1")])
def test_where_plaintext_is_let_in_the_applications_own_tls_passes_through_untouched(
    scene: Scene, member: Credential, alpn: tuple[str, ...], waiting: Callable[..., Any]
) -> None:
    before = scene.reached()
    assert HELLO not in scene.exchanged(replace(member, alpn=alpn)).heard
    waiting(lambda: scene.reached() > before and scene.app.visits[before].said)
    # A TLS record of type handshake (RFC 8446 §5.1): what the client sent, not what Envoy made of it.
    assert scene.app.visits[before].said.startswith(b"\x16\x03")


def plaintext(scene: Scene, host: str, port: int) -> bytes:
    """What is heard by whoever says something without TLS."""
    with scene.peer.connected(host, port) as connection:
        return said(connection)


@only_permissive
@pytest.mark.parametrize("family", POD)
def test_plaintext_is_let_in_while_mtls_is_permissive(scene: Scene, family: str) -> None:
    assert plaintext(scene, POD[family], APP) == BYTES


@only_strict
@pytest.mark.parametrize("family", POD)
def test_plaintext_is_refused_where_mtls_is_strict(scene: Scene, family: str) -> None:
    before = scene.reached()
    assert plaintext(scene, POD[family], APP) == b""
    assert scene.reached() == before


def test_a_new_leaf_is_shown_at_a_later_handshake_and_old_connections_go_on(
    scene: Scene, member: Credential, authority_of_tests: Any, waiting: Callable[..., Any]
) -> None:
    former = scene.exchanged(member).serial
    with scene.peer.connected(POD["IPv4"], APP) as plain, member.context().wrap_socket(plain) as old:
        publish(scene.sidecar.identity, authority_of_tests.files(WEB), mode=0o600, owner=names.PROXY_UID)
        waiting(lambda: scene.exchanged(member).serial != former)
        old.sendall(HELLO)
        assert old.recv(4096) == HELLO


def test_new_roots_decide_at_a_later_handshake(
    scene: Scene, member: Credential, authority_of_tests: Any, another_authority: Any, waiting: Callable[..., Any]
) -> None:
    both = authority_of_tests.ca.trust_bundle + another_authority.ca.trust_bundle
    newcomer = Credential(another_authority.files(CLIENT, roots=both))
    assert refused(scene, newcomer)
    try:
        trusting = authority_of_tests.files(WEB, roots=both)
        publish(scene.sidecar.identity, trusting, mode=0o600, owner=names.PROXY_UID)
        waiting(lambda: scene.exchanged(newcomer).heard == HELLO)
        assert scene.exchanged(member).heard == HELLO
    finally:
        publish(scene.sidecar.identity, authority_of_tests.files(WEB), mode=0o600, owner=names.PROXY_UID)
        waiting(lambda: scene.exchanged(newcomer).heard != HELLO)


def test_readiness_is_one_path_for_one_method(scene: Scene) -> None:
    for host in POD.values():
        assert scene.peer.answer(names.READY_PORT, "/healthz/ready", host=host) == (200, "LIVE\n")
        for path in ("/", "/ready", "/healthz", "/healthz/ready/", "/healthz/ready/../../quitquitquit", "/stats"):
            assert scene.peer.answer(names.READY_PORT, path, host=host)[0] == 404, path
        for method in ("POST", "HEAD", "PUT"):
            assert scene.peer.answer(names.READY_PORT, "/healthz/ready", host=host, method=method)[0] == 404, method


def test_metrics_are_one_path_for_one_method(scene: Scene) -> None:
    for host in POD.values():
        status, body = scene.peer.answer(names.METRICS_PORT, "/stats/prometheus", host=host)
        assert status == 200
        assert "# TYPE envoy_server_live gauge\n" in body
        for path in ("/", "/stats", "/config_dump", "/stats/prometheus/", "/stats/prometheus/../../logging", "/certs"):
            assert scene.peer.answer(names.METRICS_PORT, path, host=host)[0] == 404, path
        assert scene.peer.answer(names.METRICS_PORT, "/stats/prometheus", host=host, method="POST")[0] == 404


@pytest.mark.parametrize("host", POD.values())
def test_the_admin_endpoint_cannot_be_reached_from_outside(scene: Scene, host: str) -> None:
    request = b"GET /ready HTTP/1.1\r\nHost: admin\r\n\r\n"
    with scene.peer.connected(host, names.ADMIN_PORT) as connection:
        assert said(connection, request) == b""


@pytest.mark.parametrize("port", [names.OUTBOUND_PORT, names.INBOUND_PORT])
@pytest.mark.parametrize(
    ("place", "host"),
    [("peer", POD["IPv4"]), ("peer", POD["IPv6"])]
    + [("pod", host) for host in (*POD.values(), "127.0.0.1", "127.0.0.9", "::1")],
)
def test_a_connection_dialled_directly_is_closed_and_does_not_loop(
    scene: Scene, place: str, host: str, port: int, waiting: Callable[..., Any]
) -> None:
    def counted(what: str) -> int:
        return sum(scene.sidecar.stats(rf"^listener\..*_150(01|06)\.{what}$").values())

    before = counted("downstream_cx_total"), counted("no_filter_chain_match")
    room = scene.peer if place == "peer" else scene.sidecar.room
    with room.connected(host, port) as connection:
        assert said(connection) == b""
    # It is closed before it is counted, now and then.
    waiting(lambda: counted("downstream_cx_total") + counted("no_filter_chain_match") > sum(before))
    waiting(lambda: counted("downstream_cx_active") == 0)
    taken, unmatched = counted("downstream_cx_total") - before[0], counted("no_filter_chain_match") - before[1]
    # From outside, 15001 is a port like others: the inbound listener hands it on, once, if it takes plaintext.
    handed_on = place == "peer" and port == names.OUTBOUND_PORT
    assert (taken, unmatched) == ((0, 1) if handed_on and scene.strict else (2, 0) if handed_on else (1, 0))


def test_the_applications_calls_leave_as_they_are(scene: Scene, echo: Any) -> None:
    passed = scene.sidecar.stat("cluster.PassthroughCluster.upstream_cx_total")
    with echo(scene.peer, 9000) as server:
        for host in ("10.88.0.1", "fd88::1"):
            with scene.sidecar.room.connected(host, 9000) as connection:
                assert said(connection) == BYTES
        assert [visit.client for visit in server.visits] == list(POD.values())
    assert scene.sidecar.stat("cluster.PassthroughCluster.upstream_cx_total") == passed + 2


def test_envoy_finds_nothing_to_complain_of(scene: Scene) -> None:
    lines = [line for line in scene.sidecar.log().splitlines() if not line.startswith("{")]
    expected = "There is no configured limit to the number of allowed active downstream connections"
    assert [line for line in lines if expected not in line] == []


def test_a_connection_is_logged_with_who_and_where(
    scene: Scene, member: Credential, waiting: Callable[..., Any]
) -> None:
    assert scene.exchanged(member, "IPv6").heard == HELLO
    line = waiting(
        lambda: [text for text in scene.sidecar.log().splitlines() if "[fd88::2]:8080" in text and CLIENT in text]
    )
    entry = json.loads(line[-1])
    assert entry["downstream_tls"] == "TLSv1.3"
    assert entry["downstream_peer"] == f"spiffe://cluster.local/{CLIENT}"
    assert entry["original_destination"] == "[fd88::2]:8080"
    assert entry["filter_chain"] == "inbound-mtls"


def test_without_an_access_log_a_connection_leaves_no_line(
    new_rooms: Any, sidecar_in: Any, authority_of_tests: Any, echo: Any
) -> None:
    quiet = MeshConfiguration(proxy=Proxy(access_log=AccessLog.OFF))
    with new_rooms() as (pod, peer), echo(pod, APP), sidecar_in(pod, quiet, authority_of_tests.files(WEB)) as sidecar:
        with peer.connected(POD["IPv4"], APP) as connection:
            assert said(connection) == BYTES
        sidecar.process.terminate()
        sidecar.process.wait(60)
        assert "{" not in sidecar.log()


def test_the_key_is_the_proxys_alone(scene: Scene) -> None:
    secret = Path(scene.sidecar.identity / names.CREDENTIAL_BUNDLE).stat()
    assert (secret.st_mode & 0o777, secret.st_uid) == (0o600, names.PROXY_UID)
