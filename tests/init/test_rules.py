"""The rules hang together, whatever is to be intercepted."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from init.interception import Interception
from init.rules import Accept, Goto, Redirect, Rule, Ruleset, Tcp, ToPortIn, ruleset
from proa.errors import Refused

ports = st.integers(1, 65535)


def rules_of(table: Ruleset) -> list[Rule]:
    return [rule for chain in table.chains for rule in chain.rules]


@given(outbound=ports, inbound=ports, uid=st.integers(1, 2**32 - 2))
def test_every_rule_names_only_what_its_table_has(outbound: int, inbound: int, uid: int) -> None:
    if inbound == outbound:
        inbound = outbound % 65535 + 1
    table = ruleset(Interception(uid, uid, outbound, inbound, excluded_inbound_ports=()))
    verdicts = [rule.then for rule in rules_of(table)]
    chains = {chain.name for chain in table.chains if not chain.hook}
    assert {verdict.chain for verdict in verdicts if isinstance(verdict, Goto)} == chains
    assert {verdict.counter for verdict in verdicts if isinstance(verdict, Redirect)} == set(table.counters)
    assert {verdict.port for verdict in verdicts if isinstance(verdict, Redirect)} == {inbound, outbound}
    sets = {match.ports for rule in rules_of(table) for match in rule.when if isinstance(match, ToPortIn)}
    assert sets == {ports.name for ports in table.sets}


def test_nft_would_refuse_a_redirect_that_does_not_ask_for_tcp() -> None:
    redirects = [rule for rule in rules_of(ruleset(Interception())) if isinstance(rule.then, Redirect)]
    assert len(redirects) == 4
    assert all(rule.when[-1] == Tcp() for rule in redirects)


def test_a_port_excluded_twice_is_in_the_set_once() -> None:
    (excluded,) = ruleset(Interception(excluded_inbound_ports=(9000, 80, 9000))).sets
    assert excluded.ports == (80, 9000)


@pytest.mark.parametrize("why", ["é" * 64, 'a "word"', "two\nlines"])
def test_a_reason_that_does_not_fit_a_comment_is_refused(why: str) -> None:
    with pytest.raises(Refused, match="one line of at most 127 bytes"):
        Rule((), Accept(), why)


def test_a_reason_of_127_bytes_fits() -> None:
    assert Rule((), Accept(), "a" * 127).why == "a" * 127


def test_the_page_of_packet_paths_shows_every_rule() -> None:
    page = (Path(__file__).parents[2] / "docs" / "packet-paths.md").read_text(encoding="utf-8")
    assert [rule.why for rule in rules_of(ruleset(Interception())) if f'"{rule.why}"' not in page] == []
