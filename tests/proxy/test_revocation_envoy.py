"""Two real Envoys with the webhook's files: a revoked leaf is refused at its next handshake, whoever shows it.

So is one without a valid CRL of its issuer. Nobody is restarted."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Any

import pytest

from ca.authority import CertificateAuthority, new_intermediate, new_root
from ca.revocation.crl import Revoked, crls_pem, signed_crl
from discovery.files import subscription_files
from discovery.model import Transport, Workload
from discovery.resources import resources
from proa import names
from proa.clock import system_clock
from proa.containers import AccessLog
from proa.identity import TrustDomain, parsed_identity
from proa.mesh import mesh_configuration
from support.sidecars import Authority, leaf_of

pytestmark = pytest.mark.netns

DOMAIN = TrustDomain("cluster.local")
HOST, PORT = "10.88.0.1", 8080
HELLO = b"hello, whoever you are"
CONFIGURATION = mesh_configuration("""
peerTls: strict
discovery: {kind: files}
authority: {roots: {kind: config-maps, revocation: crl}}
""")
WEEK = timedelta(days=7)


@dataclass
class Issuers:
    """One root, an issuer, and the one that comes after it; and who is revoked."""

    root: Any = field(default_factory=lambda: new_root(DOMAIN, system_clock()))
    revoked: list[Revoked] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.present, self.following = (new_intermediate(DOMAIN, self.root, system_clock()) for _ in range(2))

    def leaf(self, path: str, issuer: Any = None) -> dict[str, bytes]:
        authority = CertificateAuthority(issuer or self.present, (self.root.issuing.certificate,), system_clock)
        return Authority(authority).files(path)

    def crls(self, *issuers: Any, now: datetime | None = None) -> dict[str, bytes]:
        lists = (signed_crl(each, self.revoked, 0, now or system_clock(), WEEK) for each in issuers)
        return {names.CRL_FILE: crls_pem(lists).encode()}

    def revoke(self, files: dict[str, bytes]) -> None:
        leaf = leaf_of(files)
        self.revoked.append(Revoked(leaf.serial_number, datetime.now(UTC), leaf.not_valid_after_utc))


@dataclass
class Pair:
    """A client's sidecar and a server's, each with its own identity, and an application behind the latter."""

    client: Any
    server: Any
    app: Any
    issuers: Issuers
    waiting: Callable[..., Any]

    def passes(self) -> bool:
        """Whether a new connection of the client's application reaches the server's."""
        return bool(self.client.room.echoed(HOST, PORT, HELLO))


@pytest.fixture
def pair(new_rooms: Any, sidecar_in: Any, echo: Any, waiting: Callable[..., Any]) -> Iterator[Pair]:
    issuers = Issuers()
    crls = issuers.crls(issuers.present)
    with ExitStack() as stack:
        pod, peer = stack.enter_context(new_rooms())
        app = stack.enter_context(echo(peer, PORT))
        server = stack.enter_context(sidecar_in(peer, CONFIGURATION, {**issuers.leaf("ns/shop/sa/api"), **crls}))
        client = stack.enter_context(sidecar_in(pod, CONFIGURATION, {**issuers.leaf("ns/shop/sa/web"), **crls}))
        api = Workload(
            parsed_identity("spiffe://cluster.local/ns/shop/sa/api"), (ip_address(HOST),), (PORT,), Transport.MTLS
        )
        client.discover(subscription_files(resources([api], AccessLog.JSON)))
        pair = Pair(client, server, app, issuers, waiting)
        waiting(lambda: client.stat("listener_manager.total_listeners_active") == 5)
        waiting(pair.passes)
        yield pair


def test_a_revoked_clients_leaf_is_refused_at_new_connections_and_its_next_one_and_others_pass(pair: Pair) -> None:
    processes = pair.client.process.pid, pair.server.process.pid
    stolen, server = pair.issuers.leaf("ns/shop/sa/web"), pair.issuers.leaf("ns/shop/sa/api")
    pair.client.take(stolen | pair.issuers.crls(pair.issuers.present))
    assert pair.passes()
    with pair.client.room.connected(HOST, PORT) as standing:
        standing.sendall(HELLO)
        assert standing.recv(4096) == HELLO
        pair.issuers.revoke(stolen)
        pair.server.take(server | pair.issuers.crls(pair.issuers.present))
        pair.waiting(lambda: not pair.passes())
        standing.sendall(HELLO)
        assert standing.recv(4096) == HELLO, "a connection that stands goes on"
    assert sum(pair.server.stats(r"^listener\..*15006\.ssl\.fail_verify_error$").values())
    pair.client.take(pair.issuers.leaf("ns/shop/sa/web") | pair.issuers.crls(pair.issuers.present))
    pair.waiting(pair.passes)
    pair.client.take(pair.issuers.leaf("ns/shop/sa/other") | pair.issuers.crls(pair.issuers.present))
    assert pair.passes()
    assert (pair.client.process.poll(), pair.server.process.poll()) == (None, None)
    assert processes == (pair.client.process.pid, pair.server.process.pid)


def test_a_revoked_servers_leaf_is_refused_by_clients(pair: Pair) -> None:
    stolen = pair.issuers.leaf("ns/shop/sa/api")
    pair.server.take(stolen | pair.issuers.crls(pair.issuers.present))
    assert pair.passes()
    pair.issuers.revoke(stolen)
    pair.client.take(pair.issuers.leaf("ns/shop/sa/web") | pair.issuers.crls(pair.issuers.present))
    pair.waiting(lambda: not pair.passes())


def test_the_next_issuers_leaf_passes_once_its_crl_is_there_and_not_before(pair: Pair) -> None:
    """Which is why it waits for its turn while its CRL is published (docs/decisions/0035)."""
    present, following = pair.issuers.present, pair.issuers.following
    pair.client.take(pair.issuers.leaf("ns/shop/sa/web", following) | pair.issuers.crls(present, following))
    pair.waiting(lambda: not pair.passes())
    pair.server.take(pair.issuers.leaf("ns/shop/sa/api") | pair.issuers.crls(present, following))
    pair.waiting(pair.passes)
    pair.issuers.revoke(stolen := pair.issuers.leaf("ns/shop/sa/web", following))
    pair.server.take(pair.issuers.leaf("ns/shop/sa/api") | pair.issuers.crls(present, following))
    assert pair.passes()
    pair.client.take(stolen | pair.issuers.crls(present, following))
    pair.waiting(lambda: not pair.passes())


def test_after_the_end_of_a_crl_nobody_is_let_in(pair: Pair) -> None:
    over = system_clock() - WEEK - timedelta(hours=1)
    pair.server.take(pair.issuers.leaf("ns/shop/sa/api") | pair.issuers.crls(pair.issuers.present, now=over))
    pair.waiting(lambda: not pair.passes())
    pair.server.take(pair.issuers.leaf("ns/shop/sa/api") | pair.issuers.crls(pair.issuers.present))
    pair.waiting(pair.passes)
