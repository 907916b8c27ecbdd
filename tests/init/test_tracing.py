"""What nft monitors of one packet, read and held against what was computed."""

import pytest

from init.dialling import read_first
from init.rules import ruleset
from init.tracing import Told, deviations, has_marked, marking, told
from init.walking import Way, way
from proa.capture.choices import DnsTo
from proa.capture.interception import Interception

EXCLUDING = Interception(excluded_outbound_ports=((22, 22),))
HEARD = """\
trace id 11111111 inet proa outbound rule goto destinations comment "all else is the application's" (verdict goto destinations)
trace id c208aa26 inet proa_trace first packet: oif "eth0" ip saddr 10.77.0.2 tcp dport 22 tcp flags == syn tcp window 64240
trace id c208aa26 inet proa_trace first rule tcp dport 22 meta nftrace set 1 (verdict continue)
trace id c208aa26 inet proa_trace first policy accept
trace id c208aa26 ip theirs output rule counter packets 1 bytes 60 (verdict continue)
trace id c208aa26 inet proa outbound packet: oif "eth0" ip saddr 10.77.0.2 tcp dport 22 tcp flags == syn tcp window 64240
trace id c208aa26 inet proa outbound rule goto destinations comment "all else is the application's" (verdict goto destinations)
trace id c208aa26 inet proa destinations rule tcp dport @excluded_outbound_ports counter name "outbound_excluded" return comment "excluded ports are dialled directly" (verdict return)
trace id c208aa26 inet proa outbound policy accept
trace id d1a682be inet proa_trace first rule tcp dport 22 meta nftrace set 1 (verdict continue)
trace id d1a682be inet proa leaving rule oifname "lo" return comment "inside the pod" (verdict return)
"""  # noqa: E501 - as nft 1.0.6 prints it


def computed(connection: str, wanted: Interception = EXCLUDING) -> Way:
    return way(ruleset(wanted), read_first(connection))


def test_the_rules_of_the_first_marked_packet_are_told_in_their_order() -> None:
    assert told(HEARD) == (
        Told("ip theirs", "output", "counter packets 1 bytes 60", "continue"),
        Told("inet proa", "outbound", "all else is the application's", "goto destinations"),
        Told("inet proa", "destinations", "excluded ports are dialled directly", "return"),
    )


def test_a_packet_that_was_not_marked_is_another() -> None:
    assert has_marked(HEARD)
    assert not has_marked(HEARD.splitlines()[0])
    assert told(HEARD.splitlines()[0]) == ()


def test_a_packet_that_meets_the_computed_rules_deviates_nowhere() -> None:
    assert deviations(told(HEARD), computed("to=10.96.0.10:22,uid=1000")) == ()


def test_a_question_gets_one_zone_and_its_chain_ends_there() -> None:
    proxys = computed("to=10.96.0.10:53,uid=1337,udp", Interception(dns=DnsTo(("10.96.0.10",))))
    assert [each.rule.why for each in proxys.met if each.chain == "zone_out"] == ["questions that really leave"]


def test_what_a_captured_packet_meets_at_the_proxys_port_is_no_deviation() -> None:
    captured = computed("to=10.96.0.10:80,uid=1000")
    kernels = [Told("inet proa", each.chain, each.rule.why, "") for each in captured.met]
    assert deviations([*kernels, Told("inet proa", "leaving", "captured already", "return")], captured) == ()
    assert deviations(kernels[:-1], captured) != ()


def test_a_line_that_is_one_too_many_for_the_log_is_no_deviation() -> None:
    logged = computed("to=10.96.0.10:80,uid=1000", Interception(log_rate=1))
    kernels = [Told("inet proa", each.chain, each.rule.why, "") for each in logged.met]
    assert "said in the log" in kernels[-2].why
    assert deviations(kernels, logged) == deviations([*kernels[:-2], kernels[-1]], logged) == ()


def test_each_rule_that_is_otherwise_is_named() -> None:
    found = told(HEARD)
    assert deviations(found, computed("to=10.96.0.10:80,uid=1000", Interception())) == (
        "not met, though computed: destinations: all other connections of the application",
        "met, though not computed: destinations: excluded ports are dialled directly",
        "met in table ip theirs: output: counter packets 1 bytes 60 (continue)",
    )
    same = computed("to=10.96.0.10:22,uid=1000")
    assert deviations(found[:0:-1], same) == ("the same rules, in another order",)


def test_where_others_had_the_packet_first_their_rule_is_named() -> None:
    theirs = Told("ip theirs", "output", "not to there", "drop")
    assert deviations([theirs], computed("to=10.96.0.10:22,uid=1000"))[-1] == (
        "met in table ip theirs: output: not to there (drop)"
    )


@pytest.mark.parametrize(
    ("connection", "hook", "match"),
    [
        ("to=10.0.0.5:80,uid=5,gid=6", "output", "meta skuid 5 meta skgid 6 ip daddr 10.0.0.5 tcp dport 80 tcp flags"),
        ("to=[fd00::5]:53,udp", "prerouting", "ip6 daddr fd00::5 udp dport 53 meta nftrace set 1"),
    ],
)
def test_the_first_packet_of_the_connection_alone_is_marked(connection: str, hook: str, match: str) -> None:
    script = marking(read_first(connection))
    assert f"hook {hook} priority -301" in script
    assert f"\n{match}" in script
