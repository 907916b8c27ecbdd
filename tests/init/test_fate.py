"""What the interception means and what its rules do is one thing, for any settings and any packet."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from init.fate import Captured, Direct, First, Sender, fate
from init.rules import ruleset
from init.walking import way
from proa.capture.choices import NoDns
from proa.capture.interception import Interception
from support.interceptions import interceptions

PODS = ("10.77.0.2", "fd77::2")
LOOPBACK = ("127.0.0.1", "127.0.0.6", "127.1.2.3", "::1")
OUTSIDE = ("10.96.0.10", "1.1.0.1", "9.9.1.1", "9.8.7.6", "10.77.9.53", "fd96::10", "fd11::1", "fd99::1", "fd77:9::53")
ports = st.sampled_from([22, 53, 80, 443, 1000, 3050, 5432, 8080, 8081, 15008, 15020, 15053]) | st.integers(1, 65535)
ids = st.sampled_from([0, 5, 80, 443, 1000, 1337, 2000, 3050]) | st.integers(0, 3000)
protocols = st.sampled_from(["tcp", "udp"])


@st.composite
def firsts(draw: st.DrawFn) -> First:
    """Packets as they occur: by lo to what is the pod's own, by another interface elsewhere, the families alike."""
    sent = draw(st.booleans())
    destination = draw(st.sampled_from((*PODS, *LOOPBACK, *OUTSIDE) if sent else (*PODS, *OUTSIDE)))
    own = destination in PODS or destination in LOOPBACK
    six = ":" in destination
    hairpin = "::6" if six else "127.0.0.6"
    source = draw(st.sampled_from([PODS[six], *([hairpin] if sent and own else [])]))
    interface = "lo" if sent and own else draw(st.sampled_from(["eth0", "eth1", "net1", "k6t0"]))
    sender = Sender(draw(ids), draw(ids), draw(st.booleans())) if sent else None
    return First(draw(protocols), source, destination, draw(ports), interface, sender, to_pod=own)


@settings(max_examples=600)
@given(interceptions(), st.lists(firsts(), min_size=1, max_size=8))
def test_the_rules_do_what_the_settings_say(wanted: Interception, packets: list[First]) -> None:
    rules = ruleset(wanted)
    for first in packets:
        assert way(rules, first).fate == fate(wanted, first)


@given(interceptions(), firsts())
def test_nothing_goes_to_a_port_that_is_not_the_proxys(wanted: Interception, first: First) -> None:
    found = fate(wanted, first)
    own = {wanted.outbound_port, wanted.inbound_port, *([] if wanted.dns == NoDns() else [wanted.dns_port])}
    assert not isinstance(found, Captured) or found.port in own


@given(interceptions(), firsts())
def test_what_the_proxy_sends_out_of_the_pod_is_never_captured(wanted: Interception, first: First) -> None:
    if not first.sender or first.interface == "lo" or not wanted.proxy_uids:
        return
    of_proxy = First(
        first.protocol, first.source, first.destination, first.port, first.interface, Sender(wanted.proxy_uids[0][0], 5)
    )
    assert fate(wanted, of_proxy) == Direct()


@pytest.mark.parametrize("policy", ["drop", "bypass"])
@given(first=firsts())
def test_a_family_that_is_not_captured_is_never_captured(policy: str, first: First) -> None:
    wanted = Interception(ipv6=policy)  # type: ignore[arg-type]
    assert ":" not in first.destination or not isinstance(fate(wanted, first), Captured)
