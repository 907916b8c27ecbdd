"""Network namespaces of the tests' own: one alone, or a pod and its peer joined by a veth pair with servers on both."""

import json
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from support.nodes import Node, compiled, made_node
from support.spaces import PROA_INIT, Agent, Namespace, join, made_namespace, running

ELSEWHERE = (
    *("10.96.0.10/32", "1.1.0.1/32", "9.9.1.1/32", "10.77.9.53/32", "10.77.9.54/32"),
    *("fd96::10/128", "fd11::1/128", "fd99::1/128", "fd77:9::53/128", "fd77:9::54/128"),
)
"""The peer's other addresses: a service, two sites, two name servers."""
POD_LISTENERS = (
    *(f"tcp:{port}" for port in (15001, 15006, 15008, 15020, 15021, 15090, 8080, 8081, 9090)),
    *(f"{protocol}:15053:{loopback}" for protocol in ("tcp", "udp") for loopback in ("127.0.0.1", "::1")),
    *(
        f"{protocol}:15053:{address}"
        for protocol in ("tcp", "udp")
        for address in ("10.77.0.2", "fd77::2", "10.78.0.2", "fd78::2", "10.79.0.2", "fd79::2")
    ),
)
PEER_LISTENERS = (
    *(f"tcp:{port}" for port in (22, 53, 80, 443, 3050, 5432, 8080)),
    *(f"udp:{port}" for port in (22, 53, 443, 5000)),
)


@dataclass(frozen=True)
class Network:
    """The pod and what it may talk to: a peer behind eth0 and eth1, a machine behind its own bridge k6t0."""

    pod: Namespace
    peer: Namespace
    agents: Mapping[str, Agent] = field(repr=False)
    applied: list[tuple[str, ...]] = field(repr=False)
    """The flags that are in force, as its last element."""

    def configure(self, *flags: str) -> None:
        """Have the pod intercepted by these flags."""
        if self.applied[-1:] != [flags]:
            if self.applied and _backend(flags) != _backend(self.applied[-1]):
                # Or the rules of both would be in force.
                self.pod.init("--remove")
            done = self.pod.init(*flags)
            assert done.returncode == 0, done.stderr
            self.applied.append(flags)

    def probe(
        self,
        place: str,
        ids: tuple[int, int],
        host: str,
        port: int,
        *,
        source: str = "",
        source_port: int = 0,
        udp: bool = False,
        mark: int = 0,
        short: bool = False,
    ) -> dict[str, object]:
        """Who answered a connection from *place* by a process of *ids*, user and group; and what it saw."""
        asked = {"uid": ids[0], "gid": ids[1], "host": host, "port": port, "source": source, "source_port": source_port}
        return self.agents[place].probe(**asked, udp=udp, mark=mark, short=short)

    def captured(self, direction: str) -> int:
        """Connections the named counter of the pod has seen."""
        shown = self.pod.run("nft", "-j", "list", "counter", "inet", "proa", f"{direction}_captured", check=True).stdout
        return json.loads(shown)["nftables"][-1]["counter"]["packets"]


def _backend(flags: tuple[str, ...]) -> str:
    return next((flag for flag in flags if flag.startswith("--backend=")), "")


@pytest.fixture
def namespace() -> Iterator[Namespace]:
    """A namespace with nothing in it but `lo`."""
    with made_namespace() as inside:
        yield inside


@pytest.fixture
def proa_init() -> tuple[str, ...]:
    """The command, for a test that runs it under another."""
    return PROA_INIT


@pytest.fixture
def pod() -> Iterator[Namespace]:
    """A namespace with addresses and routes, and nobody at their other end."""
    with made_namespace() as inside, made_namespace() as other:
        join(inside, other, "eth0", 77)
        for gateway in ("10.77.0.1", "fd77::1"):
            inside.ip(f"route add default via {gateway}")
        yield inside


@pytest.fixture(scope="session")
def network() -> Iterator[Network]:
    """The pod is 10.77.0.2 and fd77::2 on eth0, .78. and fd78:: on eth1; the peer is 1 in both, and more on its lo."""
    with ExitStack() as stack:
        pod, peer, machine = (stack.enter_context(made_namespace()) for _ in range(3))
        for setting in ("net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1"):
            pod.run("sysctl", "-qw", setting, check=True)
        for name, other, net in (("eth0", peer, 77), ("eth1", peer, 78), ("k6t0", machine, 79)):
            join(pod, other, name, net)
        for address in ELSEWHERE:
            peer.ip(f"addr add {address} dev lo")
        for gateway in ("10.77.0.1", "fd77::1"):
            pod.ip(f"route add default via {gateway}")
        for place, gateway in ((machine, "10.79.0.2"), (machine, "fd79::2")):
            place.ip(f"route add default via {gateway}")
        peer.ip("route add 10.79.0.0/24 via 10.77.0.2")
        peer.ip("route add fd79::/64 via fd77::2")
        for place, who, listeners in ((pod, "pod", POD_LISTENERS), (peer, "peer", PEER_LISTENERS)):
            stack.enter_context(running(place, "serve", who, *listeners))
        places = {"pod": pod, "peer": peer, "machine": machine}
        agents = {name: Agent(stack.enter_context(running(place, "agent"))) for name, place in places.items()}
        network = Network(pod, peer, agents, [])
        for place, host in (("pod", "fd77::1"), ("pod", "fd78::1"), ("machine", "fd77::1"), ("peer", "fd77::2")):
            # A new link answers its first neighbour solicitations late.
            assert any("who" in network.probe(place, (0, 0), host, 8080) for _ in range(10))
        yield network


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(tmp_path_factory.mktemp("cni"), "-static")


@pytest.fixture
async def node(program: Path) -> AsyncIterator[Node]:
    async with made_node(program) as made:
        yield made


@pytest.fixture
async def agent(node: Node) -> Node:
    """The node, its agent running."""
    await node.start()
    return node
