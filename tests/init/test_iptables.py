"""The chains are the rules, family by family, spelled as iptables-save does; a script leads to any state."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from init.iptables import Tables, tables
from init.iptables_scripts import differences, replacement, saved
from init.rules import ruleset
from proa.capture.interception import Interception
from support.interceptions import interceptions

GOLDEN = Path(__file__).parent / "golden"
SAVED = (GOLDEN / "default.iptables-saved").read_text(encoding="utf-8")
DEFAULT = tables(ruleset(Interception()), 4)
families = st.sampled_from([4, 6])


def test_what_iptables_1_8_9_saves_is_what_was_asked_for() -> None:
    assert differences(DEFAULT, saved(SAVED)) == ()


def test_what_is_not_ours_is_not_looked_at() -> None:
    foreign = SAVED.replace("COMMIT", "-A PREROUTING -p tcp -j DOCKER\n:DOCKER - [0:0]\n-A DOCKER -j RETURN\nCOMMIT")
    assert saved(foreign) == saved(SAVED)


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ("--to-ports 15001", "--to-ports 15002", ("missing", "not ours")),
        ("-A PREROUTING -j PROA_INBOUND\n", "", ("table nat, chain PREROUTING: missing",)),
        (":PROA_PROXY - [0:0]", ":PROA_OLD - [0:0]\n:PROA_PROXY - [0:0]", ("table nat, chain PROA_OLD: not ours",)),
    ],
)
def test_chains_edited_by_hand_are_told_by_the_edited_line(old: str, new: str, found: tuple[str, ...]) -> None:
    edited = SAVED.replace(old, new, 1)
    assert edited != SAVED
    told = differences(DEFAULT, saved(edited))
    assert len(told) == len(found)
    assert all(part in text for part, text in zip(found, told, strict=True))


@given(interceptions(), families)
def test_chains_depend_on_the_interception_alone(wanted: Interception, family: int) -> None:
    assert tables(ruleset(wanted), family) == tables(ruleset(wanted), family)
    jumps = [rule for chains in tables(ruleset(wanted), family).values() for rules in chains.values() for rule in rules]
    assert not any("@" in rule or "{" in rule for rule in jumps)


@given(interceptions(), interceptions(), families)
def test_a_script_leads_from_any_state_to_any_other(one: Interception, other: Interception, family: int) -> None:
    former, wanted = tables(ruleset(one), family), tables(ruleset(other), family)
    assert differences(wanted, restored(former, replacement(former, wanted))) == ()
    assert restored(wanted, replacement(wanted, {})) == {}


def test_nothing_to_do_takes_no_script() -> None:
    assert replacement({}, {}) == ""


def restored(state: Tables, script: str) -> Tables:
    """What iptables-restore --noflush makes of *state* by *script*."""
    result = {name: {chain: list(rules) for chain, rules in chains.items()} for name, chains in state.items()}
    table: dict[str, list[str]] = {}
    for line in script.splitlines():
        verb, _, rest = line.partition(" ")
        chain, _, rule = rest.partition(" ")
        if line.startswith("*"):
            table = result.setdefault(line[1:], {})
        elif line.startswith(":"):
            table[verb[1:]] = []
        elif verb == "-A":
            table[chain].append(rule)
        elif verb == "-I":
            table.setdefault(chain, []).insert(0, rule)
        elif verb == "-D":
            table[chain].remove(rule)
        elif verb == "-X":
            assert not table.pop(chain)
    kept = {
        name: {chain: rules for chain, rules in chains.items() if rules or chain.startswith("PROA_")}
        for name, chains in result.items()
    }
    return {name: chains for name, chains in kept.items() if chains}
