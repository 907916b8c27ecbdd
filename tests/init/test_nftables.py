"""The script is the same text for the same rules, and what nft lists is compared with it line by line."""

import re
from pathlib import Path

import pytest
from hypothesis import given

from init import listing
from init.nftables import first_script, networks, removal, script, second_script, table, withdrawal
from init.rules import ruleset
from init.ruleset import Ruleset
from proa.capture.interception import Interception
from proa.capture.settings import described
from support.interceptions import interceptions

GOLDEN = Path(__file__).parent / "golden"
DEFAULT = ruleset(Interception())
EMPTY = "table inet proa {\n}\n"
LISTED = (GOLDEN / "default.listed").read_text(encoding="utf-8")


def differences(rules: Ruleset, listed: str) -> tuple[str, ...]:
    return listing.differences(table(rules), listed)


def missing(rules: Ruleset, listed: str) -> set[str]:
    """The blocks that *listed* has not, which has nothing else than *rules*."""
    found = differences(rules, listed)
    assert all(line.endswith(": missing") for line in found)
    return {line.removesuffix(": missing") for line in found}


def test_the_default_script_is_the_reviewed_one() -> None:
    assert script(DEFAULT) == (GOLDEN / "default.nft").read_text(encoding="utf-8")


@given(interceptions())
def test_rules_ask_the_sets_that_there_are_and_compare_with_what_is_one_number(wanted: Interception) -> None:
    text = script(ruleset(wanted))
    assert set(re.findall(r"@(\w+)", text)) == set(re.findall(r"^\tset (\w+)", text, re.MULTILINE))
    assert not re.search(r"type (inet_service|uid|gid)\n\t\tflags interval\n\t\telements = \{ \d+ \}", text)


@given(interceptions())
def test_a_script_depends_on_the_interception_alone(wanted: Interception) -> None:
    text = script(ruleset(wanted))
    assert text == script(ruleset(wanted))
    assert text.isascii()
    assert text.count("{") == text.count("}")


@given(interceptions())
def test_a_replacement_and_a_first_table_hold_the_same(wanted: Interception) -> None:
    table = "table inet proa {\n"
    rules = ruleset(wanted)
    first, replacement = first_script(rules), script(rules)
    assert networks(rules) or first.partition(table)[2] == replacement.partition(table)[2]
    assert first.startswith("create table inet proa\n")
    assert replacement.startswith(removal())


@given(interceptions().filter(lambda wanted: bool(networks(ruleset(wanted)))))
def test_where_there_are_networks_the_first_script_has_the_other_sets_and_the_second_all_the_rest(
    wanted: Interception,
) -> None:
    rules = ruleset(wanted)
    first, second = first_script(rules), second_script(rules)
    assert "chain" not in first
    filled = {f"table inet proa, set {named.name}, elements =" for named in networks(rules)}
    sets = {block for block in missing(rules, EMPTY) if ", set " in block}
    assert missing(rules, first) == missing(rules, EMPTY) - sets | filled
    assert missing(rules, second) == sets | {f"table inet proa, counter {rules.counters[0]}"}
    assert second.startswith(f"create counter inet proa {rules.counters[0]}\n")


@given(interceptions().filter(lambda wanted: bool(networks(ruleset(wanted)))))
def test_what_takes_sets_back_fails_where_the_second_script_was_done(wanted: Interception) -> None:
    guard, removed = withdrawal(ruleset(wanted)).splitlines()
    assert second_script(ruleset(wanted)).startswith(f"{guard}\n")
    assert removed == "delete table inet proa"


@given(interceptions(), interceptions())
def test_tables_are_alike_when_their_rulesets_are(one: Interception, other: Interception) -> None:
    alike = differences(ruleset(one), script(ruleset(other))) == ()
    assert alike is (ruleset(one) == ruleset(other))
    assert alike or described(one) != described(other)


@pytest.mark.parametrize("file", ["default.listed", "default.listed-by-name"])
def test_what_nft_1_0_6_lists_is_what_was_asked_for(file: str) -> None:
    assert differences(DEFAULT, (GOLDEN / file).read_text(encoding="utf-8")) == ()


def test_other_spaces_and_elements_over_several_lines_are_no_difference() -> None:
    wrapped = LISTED.replace("15021, 15090 }", "15090,\n\t\t\t     15021 }")
    one_line = wrapped.replace("counter inbound_captured {\n\t}", "counter inbound_captured { packets 7 bytes 420 }")
    assert one_line != LISTED
    assert differences(DEFAULT, one_line) == ()


CAPTURE = "redirect to :15001"
ONLY_TCP = 'meta l4proto != 6 return comment "only TCP is intercepted"'


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        (", 15090", "", ("missing 15090",)),
        ("15021, 15090", "15021, 15090, 22", ("not ours 22",)),
        (CAPTURE, "redirect to :15002", ("missing", "not ours")),
        ("skuid 1337", "skuid @all", ("missing meta skuid 1337", "not ours meta skuid @all")),
        ("the proxy is not sent to itself", "trust me", ("missing return", "not ours return")),
        ("hook output priority -100", "hook output priority -1", ("missing type nat", "not ours type nat")),
        ("\tcounter inbound_captured {\n\t}\n", "", ("counter inbound_captured: missing",)),
        ("\tchain proxy {", "\tchain drop_all {\n\t}\n\tchain proxy {", ("chain drop_all: not ours",)),
        (f"{ONLY_TCP}\n", f"{ONLY_TCP}\n\t\t{ONLY_TCP}\n", ("not as often",)),
        ("table inet proa {\n", "table inet proa {\n\tflags dormant\n", ("not ours flags dormant",)),
        (LISTED, "", ("table inet proa: missing", *("missing",) * 10)),
    ],
)
def test_a_table_edited_by_hand_is_told_by_the_edited_line(old: str, new: str, found: tuple[str, ...]) -> None:
    edited = LISTED.replace(old, new, 1)
    assert edited != LISTED
    told = differences(DEFAULT, edited)
    assert len(told) == len(found)
    assert all(part in text for part, text in zip(found, told, strict=True))


def test_rules_in_another_order_are_a_difference() -> None:
    lines = LISTED.splitlines()
    one = next(number for number, line in enumerate(lines) if 'oifname "lo" return' in line)
    other = next(number for number, line in enumerate(lines) if CAPTURE in line)
    lines[one], lines[other] = lines[other], lines[one]
    assert differences(DEFAULT, "\n".join(lines)) == ("table inet proa, chain destinations: in another order",)
