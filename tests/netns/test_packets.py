"""Real packets through the default rules: who answers, and what it sees of the client and of the address it dialled.

The numbers are those of the behavioural cases in the project's interception notes; 4 and 6 are the address families.
"""

from dataclasses import dataclass
from typing import Any, Protocol

import pytest

pytestmark = pytest.mark.netns

POD = {4: "10.77.0.2", 6: "fd77::2"}
PEER = {4: "10.77.0.1", 6: "fd77::1"}
SERVICE = {4: "10.96.0.10", 6: "fd96::10"}
LOOPBACK = {4: "127.0.0.1", 6: "::1"}
HAIRPIN = {4: "127.0.0.6", 6: "::6"}


class Wired(Protocol):
    """What the fixture `network` gives."""

    def probe(
        self, place: str, ids: tuple[int, int], host: str, port: int, *, source: str = "", udp: bool = False
    ) -> dict[str, Any]: ...
    def captured(self, direction: str) -> int: ...


@dataclass(frozen=True)
class Case:
    """Who dials what, by family; what it reaches, and whether with the original destination; the client it sees."""

    name: str
    place: str
    ids: tuple[int, int]
    to: dict[int, str]
    port: int
    answered_by: tuple[str, int]
    captured: bool = False
    source: dict[int, str] | None = None
    client: dict[int, str] | None = None


APP, PROXY, ROOT = (1000, 1000), (1337, 1337), (0, 0)
INBOUND, OUTBOUND = ("pod", 15006), ("pod", 15001)

CASES = (
    Case("1 and 4: the peer reaches the inbound port", "peer", APP, POD, 8080, INBOUND, captured=True, client=PEER),
    Case("2: the ready port is reached directly", "peer", APP, POD, 15021, ("pod", 15021), client=PEER),
    Case("2: the metrics port is reached directly", "peer", APP, POD, 15090, ("pod", 15090), client=PEER),
    Case("8 and 21: the application dials a service", "pod", APP, SERVICE, 80, OUTBOUND, captured=True, client=POD),
    Case("9: so does a process of root", "pod", ROOT, SERVICE, 80, OUTBOUND, captured=True, client=POD),
    Case("8: and to the peer itself", "pod", APP, PEER, 8080, OUTBOUND, captured=True, client=POD),
    Case("10: the proxy's user of another group", "pod", (1337, 5), SERVICE, 80, ("peer", 80), client=POD),
    Case("11: the proxy's group of another user", "pod", (1000, 1337), SERVICE, 80, ("peer", 80), client=POD),
    Case("10: the proxy", "pod", PROXY, SERVICE, 80, ("peer", 80), client=POD),
    Case("12 and 22: the application dials loopback", "pod", APP, LOOPBACK, 8080, ("pod", 8080)),
    Case("13: all of 127.0.0.0/8 is loopback", "pod", APP, {4: "127.0.0.2"}, 8080, ("pod", 8080)),
    Case("14: the application dials the pod's address", "pod", APP, POD, 8080, ("pod", 8080), client=POD),
    Case("15: the proxy dials the pod's address", "pod", PROXY, POD, 8080, INBOUND, captured=True, client=POD),
    Case("16: the proxy's user does", "pod", (1337, 5), POD, 8080, INBOUND, captured=True, client=POD),
    Case("16: the proxy's group does", "pod", (1000, 1337), POD, 8080, INBOUND, captured=True, client=POD),
    Case("17: the proxy dials loopback", "pod", PROXY, LOOPBACK, 8080, ("pod", 8080), client=LOOPBACK),
    Case("19: the proxy's hairpin", "pod", PROXY, POD, 8080, ("pod", 8080), source=HAIRPIN, client=HAIRPIN),
)


@pytest.mark.parametrize(
    ("case", "family"),
    [pytest.param(case, family, id=f"{case.name}, IPv{family}") for case in CASES for family in case.to],
)
def test_a_connection_arrives_where_the_rules_say(network: Wired, case: Case, family: int) -> None:
    from_address = case.source[family] if case.source else ""
    reached = network.probe(case.place, case.ids, case.to[family], case.port, source=from_address)
    assert (reached.get("who"), reached.get("port")) == case.answered_by, reached
    if case.client:
        assert reached["client"] == case.client[family]
    if case.captured:
        dialled = case.to[family]
        assert reached["original"] == (f"[{dialled}]:{case.port}" if family == 6 else f"{dialled}:{case.port}")


@pytest.mark.parametrize("family", [4, 6])
def test_an_outbound_connection_arrives_on_loopback_so_that_the_proxy_may_listen_there_alone(
    network: Wired, family: int
) -> None:
    assert network.probe("pod", APP, SERVICE[family], 80)["local"] == LOOPBACK[family]


@pytest.mark.parametrize("family", [4, 6])
def test_case_23_datagrams_leave_as_they_are(network: Wired, family: int) -> None:
    reached = network.probe("pod", APP, PEER[family], 443, udp=True)
    assert reached == {"who": "peer", "port": 443, "client": POD[family]}


@pytest.mark.parametrize(("place", "to", "counter"), [("peer", POD, "inbound"), ("pod", SERVICE, "outbound")])
def test_each_captured_connection_is_counted_once(network: Wired, place: str, to: dict[int, str], counter: str) -> None:
    before = network.captured(counter)
    for family in (4, 6):
        network.probe(place, APP, to[family], 80)
    assert network.captured(counter) == before + 2
