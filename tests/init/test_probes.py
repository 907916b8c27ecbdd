"""What is tried to prove an interception: by the application and the proxy, and with what must become of it."""

from hypothesis import given

from init.fate import Captured, Direct, fate
from init.probes import probes
from proa.capture.choices import DnsTo
from proa.capture.interception import Interception
from proa.capture.spans import holds
from support.interceptions import interceptions

OWN = {4: "10.77.0.2", 6: "fd77::2"}


@given(interceptions())
def test_the_application_and_the_proxy_are_told_apart(wanted: Interception) -> None:
    for probe in probes(wanted, OWN):
        sender = probe.first.sender
        assert sender
        is_proxy = holds(wanted.proxy_uids, sender.uid) or holds(wanted.proxy_gids, sender.gid)
        assert is_proxy is ("the proxy" in probe.name)
        assert probe.expected == fate(wanted, probe.first)


def test_the_default_is_proved_in_both_families() -> None:
    expected = {probe.name: probe.expected for probe in probes(Interception(), OWN)}
    for family in ("IPv4", "IPv6"):
        assert expected[f"a connection out, {family}"] == Captured(15001)
        assert expected[f"the proxy's own connection out, {family}"] == Direct()
        assert expected[f"the proxy's connection to the pod, {family}"] == Captured(15006)
        assert expected[f"a connection inside the pod, {family}"] == Direct()


def test_what_is_excluded_is_tried_as_well() -> None:
    wanted = Interception(
        dns=DnsTo(("10.96.0.10",)), excluded_outbound_ports=((22, 22),), excluded_outbound_cidrs=("10.0.0.0/8",)
    )
    expected = {probe.name: probe.expected for probe in probes(wanted, {4: OWN[4]})}
    assert expected["a connection to an excluded network, IPv4"] == Direct()
    assert expected["a connection to an excluded port, IPv4"] == Direct()
    assert expected["a question, IPv4"] == Captured(15053)
    assert expected["the proxy's own question, IPv4"] == Direct()


def test_an_absent_family_is_not_tried() -> None:
    assert all("IPv4" in probe.name for probe in probes(Interception(), {4: OWN[4]}))
