"""A run says what it did, and what it could not do."""

import json

from init.applied import Added, Applied, BackendName, Hairpin, Present, Unavailable
from init.report import applied_json, applied_text
from proa.capture.interception import Interception


def applied(hairpin: Hairpin, backend: BackendName = "nftables", *, unchanged: bool = False) -> Applied:
    return Applied(hairpin, backend, "it works here", unchanged=unchanged)


WITHOUT_IPV6 = applied(Unavailable("Permission denied"))


def test_a_person_reads_where_connections_go() -> None:
    text = applied_text(Interception(), applied(Added()))
    assert "TCP to the pod goes to port 15006; reached directly: 15021,15090\n" in text
    assert "TCP of the pod goes to port 15001" in text
    assert text == applied_text(Interception(), applied(Present()))


def test_a_pod_without_ipv6_on_lo_is_told_so() -> None:
    assert "no IPv6 on lo (Permission denied)" in applied_text(Interception(), WITHOUT_IPV6)
    hairpin = json.loads(applied_json(Interception(), WITHOUT_IPV6))["ipv6_hairpin"]
    assert hairpin == {"address": None, "reason": "Permission denied"}


def test_a_script_reads_the_same_as_one_json_line() -> None:
    line = applied_json(Interception(excluded_inbound_ports=()), applied(Present()))
    assert line.count("\n") == 1
    facts = json.loads(line)
    assert facts["action"] == "installed"
    assert facts["interception"]["exclude-inbound-ports"] == ""
    assert facts["interception"]["proxy-uid"] == "1337"
    assert facts["ipv6_hairpin"] == {"address": "::6"}


def test_no_excluded_port_is_said_as_none() -> None:
    assert "reached directly: none\n" in applied_text(Interception(excluded_inbound_ports=()), applied(Present()))


def test_what_was_there_already_is_said_as_such() -> None:
    found = applied(Present(), unchanged=True)
    assert "outbound_captured in force already" in applied_text(Interception(), found)
    assert json.loads(applied_json(Interception(), found))["action"] == "unchanged"


def test_the_backend_is_said_with_the_reason() -> None:
    found = applied(Present(), "iptables")
    assert "backend   iptables: it works here\nrules     chains PROA_*" in applied_text(Interception(), found)
    assert json.loads(applied_json(Interception(), found))["backend"] == {
        "name": "iptables",
        "reason": "it works here",
    }


def test_settings_that_are_not_the_default_are_said() -> None:
    wanted = Interception(excluded_outbound_ports=((22, 22), (3000, 3100)), udp="drop")
    found = applied(Present())
    assert "settings  exclude-outbound-ports=22,3000-3100 udp=drop\n" in applied_text(wanted, found)
    assert "settings  all as by default\n" in applied_text(Interception(), found)
