"""The rules hang together, whatever is to be intercepted."""

import pytest
from hypothesis import given

from init.matches import Of, ToPort
from init.rules import ruleset
from init.ruleset import Rule, Ruleset
from init.verdicts import Goto, Redirect, Return, Tproxy
from proa.capture.interception import Interception
from proa.errors import Refused
from support.interceptions import interceptions


def rules_of(table: Ruleset) -> list[Rule]:
    return [rule for chain in table.chains for rule in chain.rules]


@given(interceptions())
def test_every_rule_names_only_what_its_table_has_and_the_table_nothing_else(wanted: Interception) -> None:
    table = ruleset(wanted)
    rules = rules_of(table)
    chains = {chain.name for chain in table.chains if not chain.hook}
    assert {rule.then.chain for rule in rules if isinstance(rule.then, Goto)} <= chains
    counters = {vars(rule.then).get("counter") for rule in rules} - {None, ""}
    assert counters == set(table.counters)
    names = {
        getattr(match, field)
        for rule in rules
        for match in rule.when
        for field in ("ports", "uids", "gids")
        if hasattr(match, field)
    }
    names |= {
        getattr(match, field)
        for rule in rules
        for match in rule.when
        for field in ("networks", "interfaces")
        if hasattr(match, field)
    }
    assert names == {named.name for named in table.sets}


@given(interceptions())
def test_nft_would_refuse_a_redirect_that_does_not_ask_for_a_protocol_last(wanted: Interception) -> None:
    redirects = [rule for rule in rules_of(ruleset(wanted)) if isinstance(rule.then, Redirect | Tproxy)]
    assert all(isinstance(rule.when[-1], Of | ToPort) for rule in redirects)


@given(interceptions())
def test_no_chain_goes_to_itself(wanted: Interception) -> None:
    ways = {
        chain.name: {rule.then.chain for rule in chain.rules if isinstance(rule.then, Goto)}
        for chain in ruleset(wanted).chains
    }
    while ends := {name for name, to in ways.items() if not to}:
        ways = {name: to - ends for name, to in ways.items() if name not in ends}
    assert ways == {}


def test_a_port_excluded_twice_is_in_the_set_once() -> None:
    wanted = Interception(excluded_inbound_ports=((9000, 9000), (80, 80), (9000, 9001)))
    (excluded,) = (named for named in ruleset(wanted).sets if named.name == "excluded_inbound_ports")
    assert excluded.spans == ((80, 80), (9000, 9001))


@pytest.mark.parametrize("why", ["é" * 64, 'a "word"', "two\nlines"])
def test_a_reason_that_does_not_fit_a_comment_is_refused(why: str) -> None:
    with pytest.raises(Refused, match="one line of at most 127 bytes"):
        Rule((), Return(), why)


def test_a_reason_of_127_bytes_fits() -> None:
    assert Rule((), Return(), "a" * 127).why == "a" * 127
