"""Real packets: who answers under which settings, and what it sees of the client and of the address it dialled."""

import pytest

from netns.cases import APP, DEFAULT, LOOPBACK, NOTHING, POD, REFUSED, SERVICE, TABLE, Case, D, Settings
from support.places import Wired

pytestmark = pytest.mark.netns

BACKENDS = ("nftables", "iptables-legacy")
MODES = ("redirect", "tproxy")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("settings", TABLE, ids=lambda settings: settings.name)
@pytest.mark.parametrize("backend", BACKENDS)
def test_connections_arrive_where_the_settings_say(network: Wired, settings: Settings, mode: str, backend: str) -> None:
    network.configure(*settings.flags, f"--inbound-mode={mode}", f"--backend={backend}")
    tried = [(case, family) for case in settings.cases for family in case.to if case.only in {"", mode}]
    wrong = [f"{case.name}, IPv{family}: {found}" for case, family in tried if (found := _wrong(network, case, family))]
    assert tried
    assert wrong == []


def _wrong(network: Wired, case: Case, family: int) -> object:
    """What was reached, if it is not what should have been."""
    reached = network.probe(
        case.place,
        case.ids,
        case.to[family],
        case.port,
        source=case.source[family] if case.source else "",
        source_port=case.source_port,
        udp=case.udp,
        mark=case.mark,
        short=case.answered_by == NOTHING,
    )
    if case.answered_by in {NOTHING, REFUSED}:
        return reached if reached != {"error": _error(case)} else None
    right = (reached.get("who"), reached.get("port")) == case.answered_by
    right &= case.client is None or reached.get("client") == case.client[family]
    if case.captured:
        dialled = case.to[family]
        right &= reached.get("original") == (f"[{dialled}]:{case.port}" if family == 6 else f"{dialled}:{case.port}")
    return None if right else reached


def _error(case: Case) -> str:
    return "ConnectionRefusedError" if case.answered_by == REFUSED else "TimeoutError"


@pytest.mark.parametrize("family", [4, 6])
def test_an_outbound_connection_arrives_on_loopback_so_that_the_proxy_may_listen_there_alone(
    network: Wired, family: int
) -> None:
    network.configure(*D, "--backend=nftables")
    assert network.probe("pod", APP, SERVICE[family], 80)["local"] == LOOPBACK[family]


@pytest.mark.parametrize("family", [4, 6])
def test_case_43_a_tproxied_connection_keeps_its_own_address(network: Wired, family: int) -> None:
    network.configure(*D, "--inbound-mode=tproxy", "--backend=nftables")
    reached = network.probe("peer", APP, POD[family], 8080)
    assert (reached["port"], reached["local"], reached["dialled"]) == (15006, POD[family], 8080)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("place", "to", "counter"), [("peer", POD, "inbound"), ("pod", SERVICE, "outbound")])
def test_each_captured_connection_is_counted_once(
    network: Wired, mode: str, place: str, to: dict[int, str], counter: str
) -> None:
    network.configure(*DEFAULT.flags, f"--inbound-mode={mode}", "--backend=nftables")
    before = network.captured(counter)
    for family in (4, 6):
        network.probe(place, APP, to[family], 80)
    assert network.captured(counter) == before + 2
