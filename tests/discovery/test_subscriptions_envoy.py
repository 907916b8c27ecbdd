"""A real Envoy follows the files: what the application dials leaves by mTLS to exactly who should be there, or not."""

import json
import ssl
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from discovery.files import subscription_files
from discovery.model import Transport, Workload
from discovery.resources import resources
from init.inotify import INSTANCES
from proa import names
from proa.containers import AccessLog
from proa.identity import parsed_identity
from proa.mesh import FileDiscovery, MeshConfiguration

pytestmark = pytest.mark.netns

PEER = {"IPv4": "10.88.0.1", "IPv6": "fd88::1"}
PORT = 9443
HELLO = b"hello, whoever you are"
API = "spiffe://cluster.local/ns/shop/sa/api"
WEB = "spiffe://cluster.local/ns/shop/sa/web"


@dataclass(frozen=True)
class Client:
    """A pod whose sidecar follows files, and the room in which its servers stand."""

    sidecar: Any
    peer: Any
    waiting: Callable[..., Any]

    def know(self, *workloads: Workload, publish: Callable[[dict[str, bytes]], None] | None = None) -> None:
        """Publish *workloads* as the whole mesh, and wait until Envoy has taken it over."""
        files = subscription_files(resources(workloads, AccessLog.JSON))
        wanted = json.loads(files["listeners.json"])["version_info"], json.loads(files["clusters.json"])["version_info"]
        (publish or self.sidecar.discover)(files)
        self.waiting(lambda: self.versions() == wanted)
        self.waiting(
            lambda: self.listening() == {str(each["name"]) for each in resources(workloads, AccessLog.JSON).listeners}
        )

    def versions(self) -> tuple[str, str]:
        listeners, clusters = (self._dump(kind) for kind in ("ListenersConfigDump", "ClustersConfigDump"))
        return listeners.get("version_info", ""), clusters.get("version_info", "")

    def listening(self) -> set[str]:
        found = self._dump("ListenersConfigDump").get("dynamic_listeners", [])
        return {each["name"] for each in found if "active_state" in each}

    def _dump(self, kind: str) -> dict[str, Any]:
        _, body = self.sidecar.room.answer(names.ADMIN_PORT, "/config_dump")
        return next(dump for dump in json.loads(body)["configs"] if dump["@type"].endswith(kind))

    def dialled(self, family: str = "IPv4") -> bytes:
        """What the application hears when it says hello to the peer."""
        with self.sidecar.room.connected(PEER[family], PORT) as connection:
            try:
                connection.sendall(HELLO)
                return connection.recv(4096)
            except ConnectionError:
                return b""

    def rejected(self) -> int:
        return sum(self.sidecar.stats(r"(lds|cds|cluster\..*)\.update_(rejected|failure)$").values())


@pytest.fixture(scope="module")
def client(new_rooms: Any, sidecar_in: Any, authority_of_tests: Any, waiting: Callable[..., Any]) -> Iterator[Client]:
    with ExitStack() as stack:
        pod, peer = stack.enter_context(new_rooms())
        files = authority_of_tests.files("ns/shop/sa/web")
        sidecar = stack.enter_context(sidecar_in(pod, MeshConfiguration(discovery=FileDiscovery()), files))
        yield Client(sidecar, peer, waiting)


@pytest.fixture(autouse=True)
def _nothing_is_rejected(client: Client) -> Iterator[None]:
    yield
    assert client.rejected() == 0
    assert "[error]" not in client.sidecar.log()


def api(transport: Transport = Transport.MTLS, uri: str = API) -> Workload:
    return Workload(parsed_identity(uri), tuple(map(ip_address, PEER.values())), (PORT,), transport)


def serving(files: dict[str, bytes], newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> ssl.SSLContext:
    """What stands for the sidecar on the other side, made of OpenSSL."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = newest
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=files[names.TRUST_BUNDLE].decode())
    context.set_alpn_protocols([names.MESH_ALPN])
    with tempfile.NamedTemporaryFile() as file:
        file.write(files[names.CREDENTIAL_BUNDLE])
        file.flush()
        context.load_cert_chain(file.name)
    return context


@pytest.mark.parametrize("family", PEER)
def test_a_destination_behind_a_sidecar_is_spoken_to_by_mtls(
    client: Client, authority_of_tests: Any, echo: Any, family: str
) -> None:
    client.know(api())
    with echo(client.peer, PORT, serving(authority_of_tests.files("ns/shop/sa/api"))) as server:
        assert client.dialled(family) == HELLO
    assert [(visit.identity, visit.said) for visit in server.visits] == [(WEB, HELLO)]


def test_a_sidecar_takes_the_inotify_instances_that_proa_init_counts_with_whatever_the_mesh_has(client: Client) -> None:
    client.know(*(api(uri=f"{API}-{number}") for number in range(20)))
    descriptors = Path(f"/proc/{client.sidecar.process.pid}/fd").iterdir()
    held = [each for each in descriptors if str(each.readlink()) == "anon_inode:inotify"]
    assert len(held) == INSTANCES


@pytest.mark.parametrize("family", PEER)
def test_a_destination_without_a_sidecar_is_spoken_to_in_plaintext(client: Client, echo: Any, family: str) -> None:
    client.know(api(Transport.PLAINTEXT))
    with echo(client.peer, PORT) as server:
        assert client.dialled(family) == HELLO
    assert [visit.said for visit in server.visits] == [HELLO]


@pytest.mark.parametrize(
    "uri",
    [
        "spiffe://cluster.local/ns/shop/sa/db",
        "spiffe://cluster.local/ns/bank/sa/api",
        "spiffe://cluster.local/ns/shop/sa/api2",
        "spiffe://other.local/ns/shop/sa/api",
    ],
)
def test_whoever_answers_at_an_address_that_was_anothers_hears_nothing(
    client: Client, authority_of_tests: Any, echo: Any, uri: str
) -> None:
    client.know(api())
    with echo(client.peer, PORT, serving(authority_of_tests.files(uri))) as server:
        assert client.dialled() == b""
    assert [visit.said for visit in server.visits if visit.said] == []


def test_a_server_of_another_authority_hears_nothing(
    client: Client, authority_of_tests: Any, another_authority: Any, echo: Any
) -> None:
    client.know(api())
    stranger = another_authority.files("ns/shop/sa/api", roots=authority_of_tests.ca.trust_bundle)
    with echo(client.peer, PORT, serving(stranger)) as server:
        assert client.dialled() == b""
    assert [visit.said for visit in server.visits if visit.said] == []


def test_a_server_of_tls_1_2_hears_nothing(client: Client, authority_of_tests: Any, echo: Any) -> None:
    client.know(api())
    old = serving(authority_of_tests.files("ns/shop/sa/api"), ssl.TLSVersion.TLSv1_2)
    with echo(client.peer, PORT, old) as server:
        assert client.dialled() == b""
    assert [visit.said for visit in server.visits if visit.said] == []


def test_a_server_in_plaintext_where_mtls_is_due_hears_no_word_of_the_application(client: Client, echo: Any) -> None:
    client.know(api())
    with echo(client.peer, PORT) as server:
        assert HELLO not in client.dialled()
    assert all(HELLO not in visit.said for visit in server.visits)


def test_a_swap_of_the_files_adds_and_removes_a_destination(client: Client, authority_of_tests: Any, echo: Any) -> None:
    client.know(api())
    assert client.listening() == {
        "outbound|9443||10-88-0-1.shop.pod.cluster.local",
        "outbound|9443||fd88--1.shop.pod.cluster.local",
    }
    client.know()
    assert client.listening() == set()
    with echo(client.peer, PORT) as server:
        assert client.dialled() == HELLO
    assert [visit.said for visit in server.visits] == [HELLO], "passed through as it is"
    client.know(api())
    with echo(client.peer, PORT, serving(authority_of_tests.files("ns/shop/sa/api"))) as secure:
        assert client.dialled() == HELLO
    assert [visit.identity for visit in secure.visits] == [WEB]


def test_a_swap_is_taken_over_before_the_kubelet_has_linked_new_files_by_their_names(
    client: Client, authority_of_tests: Any, echo: Any
) -> None:
    """Its AtomicWriter does so milliseconds later, when Envoy has read the new clusters; here it has not yet."""
    client.know()
    client.know(api(), publish=client.sidecar.discover_unlinked)
    with echo(client.peer, PORT, serving(authority_of_tests.files("ns/shop/sa/api"))) as server:
        assert client.dialled() == HELLO
    assert [visit.identity for visit in server.visits] == [WEB]


def test_a_destination_that_gets_a_sidecar_is_spoken_to_by_mtls_from_then_on(
    client: Client, authority_of_tests: Any, echo: Any
) -> None:
    client.know(api(Transport.PLAINTEXT))
    client.know(api(Transport.MTLS))
    with echo(client.peer, PORT, serving(authority_of_tests.files("ns/shop/sa/api"))) as server:
        client.waiting(lambda: client.dialled() == HELLO)
    assert server.visits[-1].identity == WEB


def test_a_destination_that_changes_hands_is_expected_to_be_its_new_owner(
    client: Client, authority_of_tests: Any, echo: Any
) -> None:
    client.know(api())
    client.know(api(uri="spiffe://cluster.local/ns/shop/sa/db"))
    with echo(client.peer, PORT, serving(authority_of_tests.files("ns/shop/sa/db"))) as server:
        client.waiting(lambda: client.dialled() == HELLO)
    assert server.visits[-1].identity == WEB


def test_many_workloads_are_taken_over_at_once(client: Client) -> None:
    crowd = [
        Workload(parsed_identity(API), (ip_address(f"10.99.0.{n}"), ip_address(f"fd99::{n:x}")), (80, 443), transport)
        for n in range(1, 26)
        for transport in [Transport.MTLS if n % 2 else Transport.PLAINTEXT]
    ]
    client.know(*crowd)
    assert len(client.listening()) == 100
    client.know()
