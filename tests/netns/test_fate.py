"""The model that decides what an interception means, and the kernel: one answer, for a sample of both."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from init.fate import Captured, Direct, Dropped, Fate, First, Rejected, Sender, fate
from netns.cases import BRIDGE, LOOPBACK, OTHER_SITE, PEER, PEER_ON_ETH1, POD, POD_ON_ETH1, RESOLVER, SERVICE, SITE
from proa.capture.interception import Interception
from proa.capture.settings import described
from support.interceptions import interceptions
from support.places import Wired

pytestmark = pytest.mark.netns

TCP_OF_POD, TCP_OF_PEER, UDP_OF_PEER = (8080, 8081, 9090, 15020), (22, 53, 80, 443, 3050, 5432), (22, 53, 443, 5000)


@st.composite
def dialled(draw: st.DrawFn) -> tuple[str, First]:
    """Where somebody dials what, and what it looks like in the pod."""
    family = draw(st.sampled_from([4, 6]))
    place = draw(st.sampled_from(["pod", "pod", "pod", "peer", "machine"]))
    ids = st.sampled_from([0, 5, 500, 1000, 1337, 2000])
    sender = Sender(draw(ids), draw(ids)) if place == "pod" else None
    outside = {"eth0": (PEER, SERVICE, SITE, OTHER_SITE, RESOLVER), "eth1": (PEER_ON_ETH1,)}
    match place:
        case "pod":
            interface = draw(st.sampled_from(["lo", "eth0", "eth0", "eth1"]))
            to = draw(st.sampled_from(outside.get(interface, (LOOPBACK, POD))))
        case "peer":
            interface, to = draw(st.sampled_from([("eth0", POD), ("eth1", POD_ON_ETH1)]))
        case _:
            interface, to = "k6t0", draw(st.sampled_from([BRIDGE, *outside["eth0"]]))
    own = interface == "lo" or place == "peer" or to == BRIDGE
    udp = not own and draw(st.booleans())
    port = draw(st.sampled_from(TCP_OF_POD if own else UDP_OF_PEER if udp else TCP_OF_PEER))
    source = POD[family] if to != LOOPBACK else LOOPBACK[family]
    return place, First("udp" if udp else "tcp", source, to[family], port, interface, sender, to_pod=own)


@pytest.mark.parametrize("backend", ["nftables", "iptables", "iptables-legacy"])
@settings(max_examples=30, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(wanted=interceptions(least=6), packets=st.lists(dialled(), min_size=6, max_size=14))
def test_the_kernel_does_what_the_settings_say(
    network: Wired, backend: str, wanted: Interception, packets: list[tuple[str, First]]
) -> None:
    network.configure(*(f"--{name}={value}" for name, value in described(wanted).items()), f"--backend={backend}")
    for place, first in packets:
        expected = fate(wanted, first)
        assert _seen(network, place, first, expected) == expected, (described(wanted), first)


def _seen(network: Wired, place: str, first: First, expected: Fate) -> Fate | dict[str, Any]:
    ids = (first.sender.uid, first.sender.gid) if first.sender else (0, 0)
    lost, udp = isinstance(expected, Dropped), first.protocol == "udp"
    reached = network.probe(place, ids, first.destination, first.port, udp=udp, short=lost)
    match reached:
        case {"who": "pod", "port": 15001 | 15006 | 15053 as port}:
            return Captured(port)
        case {"who": "pod" | "peer" as who, "port": port} if port == first.port and (who == "pod") is first.to_pod:
            return Direct()
        case {"error": "TimeoutError"}:
            return Dropped()
        case {"error": "ConnectionRefusedError"} if udp:
            return Rejected()
        case _:
            return reached
