"""A real Envoy behind TPROXY, with the one capability that its container is given: what the application sees of who
calls it, by mTLS and without, from elsewhere and from its own pod.
"""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from proa import names
from proa.mesh import MeshConfiguration, PeerTls
from support.credentials import Credential
from support.echo import BYTES, said

pytestmark = pytest.mark.netns

POD = {"IPv4": "10.88.0.2", "IPv6": "fd88::2"}
PEER = {"IPv4": "10.88.0.1", "IPv6": "fd88::1"}
APP = 8080
CALL = (
    "import socket, sys; calling = socket.create_connection((sys.argv[1], int(sys.argv[2])), 40);"
    f"calling.sendall({BYTES!r}); sys.exit(calling.recv(4096) != {BYTES!r})"
)


@contextmanager
def _scene(tls: PeerTls, new_rooms: Any, sidecar_in: Any, authority: Any, echo: Any) -> Iterator[tuple[Any, Any, Any]]:
    """The sidecar of a pod, its peer, and the application."""
    configuration = MeshConfiguration(peer_tls=tls)
    with ExitStack() as stack:
        pod, peer = stack.enter_context(new_rooms())
        app = stack.enter_context(echo(pod, APP))
        identity = authority.files("ns/shop/sa/web")
        told = ["--inbound-mode=tproxy"]
        yield stack.enter_context(sidecar_in(pod, configuration, identity, init=told)), peer, app


@pytest.fixture(scope="module", params=PeerTls)
def scene(request: Any, new_rooms: Any, sidecar_in: Any, authority_of_tests: Any, echo: Any) -> Any:
    with _scene(request.param, new_rooms, sidecar_in, authority_of_tests, echo) as made:
        yield made


def test_envoy_has_one_capability_and_the_proxys_group(scene: Any) -> None:
    lines = Path(f"/proc/{scene[0].process.pid}/status").read_text(encoding="ascii").splitlines()
    status = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
    assert (status["Uid"].split()[1], status["Gid"].split()[1]) == ("0", str(names.PROXY_GID))
    # CAP_NET_RAW (linux/capability.h), and CAP_DAC_READ_SEARCH, which is the tests'.
    assert int(status["CapEff"], 16) == int(status["CapBnd"], 16) == 1 << 13 | 1 << 2


def logged(sidecar: Any, source: str, waiting: Callable[..., Any]) -> Any:
    """The last connection of *source* that Envoy's access log tells of."""

    def lines() -> list[Any]:
        entries = (json.loads(line) for line in sidecar.log().splitlines() if line.startswith("{"))
        return [entry for entry in entries if source in entry["source"]]

    return waiting(lines)[-1]


@pytest.mark.parametrize("family", POD)
def test_the_application_sees_its_clients_address_behind_mtls(
    scene: Any, authority_of_tests: Any, waiting: Callable[..., Any], family: str
) -> None:
    sidecar, peer, app = scene
    context = Credential(authority_of_tests.files("ns/shop/sa/client")).context()
    with peer.connected(POD[family], APP) as plain, context.wrap_socket(plain) as secure:
        port = secure.getsockname()[1]
        secure.sendall(BYTES)
        assert secure.recv(4096) == BYTES
        assert app.visits[-1].client == PEER[family]
    line = logged(sidecar, f":{port}", waiting)
    assert line["downstream_peer"] == "spiffe://cluster.local/ns/shop/sa/client"
    # None that its client takes for another connection, which would never stand: who connects takes even ports.
    assert (port % 2, int(line["upstream_local"].rpartition(":")[2]) % 2) == (0, 1)


@pytest.mark.parametrize("scene", [PeerTls.PERMISSIVE], indirect=True)
@pytest.mark.parametrize("family", POD)
def test_the_application_sees_its_clients_address_without_mtls_too(scene: Any, family: str) -> None:
    _, peer, app = scene
    with peer.connected(POD[family], APP) as connection:
        assert said(connection, BYTES) == BYTES
        assert app.visits[-1].client == PEER[family]


@pytest.mark.parametrize("scene", [PeerTls.PERMISSIVE], indirect=True)
@pytest.mark.parametrize("family", POD)
def test_what_the_pods_own_sidecar_dials_comes_in_once_and_does_not_loop(scene: Any, family: str) -> None:
    sidecar, _, app = scene
    before = sidecar.stat("cluster.InboundPassthroughCluster.upstream_cx_total")
    asking = ("setpriv", f"--regid={names.PROXY_GID}", "--clear-groups", sys.executable, "-c", CALL)
    sidecar.room.run(*asking, POD[family], str(APP))
    assert app.visits[-1].client == POD[family]
    assert sidecar.stat("cluster.InboundPassthroughCluster.upstream_cx_total") == before + 1


@pytest.mark.parametrize("scene", [PeerTls.STRICT], indirect=True)
@pytest.mark.parametrize("family", POD)
def test_a_client_without_mtls_is_refused_where_it_is_strict(scene: Any, family: str) -> None:
    _, peer, app = scene
    before = len(app.visits)
    with peer.connected(POD[family], APP) as connection:
        assert said(connection, BYTES) == b""
    assert len(app.visits) == before
