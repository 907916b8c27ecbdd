"""The script is the same text for the same rules, and what nft lists is compared with it line by line."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from init.interception import Interception
from init.nftables import differences, first_script, removal, script
from init.rules import ruleset

GOLDEN = Path(__file__).parent / "golden"
DEFAULT = ruleset(Interception())
LISTED = (GOLDEN / "default.listed").read_text(encoding="utf-8")

ports = st.integers(1, 65535)
ids = st.integers(1, 2**32 - 2)


@st.composite
def interceptions(draw: st.DrawFn) -> Interception:
    outbound, inbound, *excluded = draw(st.lists(ports, min_size=2, max_size=40, unique=True))
    return Interception(draw(ids), draw(ids), outbound, inbound, tuple(excluded))


def test_the_default_script_is_the_reviewed_one() -> None:
    assert script(DEFAULT) == (GOLDEN / "default.nft").read_text(encoding="utf-8")


@given(interceptions())
def test_a_script_depends_on_the_interception_alone(wanted: Interception) -> None:
    text = script(ruleset(wanted))
    assert text == script(ruleset(wanted))
    assert text.isascii()
    assert text.count("{") == text.count("}")


@given(interceptions())
def test_a_replacement_and_a_first_table_hold_the_same(wanted: Interception) -> None:
    table = "table inet proa {\n"
    first, replacement = first_script(ruleset(wanted)), script(ruleset(wanted))
    assert first.partition(table)[2] == replacement.partition(table)[2]
    assert first.startswith("create table inet proa\n")
    assert replacement.startswith(removal())


@given(interceptions(), interceptions())
def test_tables_differ_when_their_interceptions_do(one: Interception, other: Interception) -> None:
    same = (one.proxy_uid, one.proxy_gid, one.outbound_port, one.inbound_port, set(one.excluded_inbound_ports)) == (
        other.proxy_uid,
        other.proxy_gid,
        other.outbound_port,
        other.inbound_port,
        set(other.excluded_inbound_ports),
    )
    assert (differences(ruleset(one), script(ruleset(other))) == ()) is same


@pytest.mark.parametrize("listing", ["default.listed", "default.listed-by-name"])
def test_what_nft_1_0_6_lists_is_what_was_asked_for(listing: str) -> None:
    assert differences(DEFAULT, (GOLDEN / listing).read_text(encoding="utf-8")) == ()


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
        ("meta skuid 1337", "meta skuid 0", ("missing meta skuid 1337", "not ours meta skuid 0")),
        ("the proxy is not sent to itself", "trust me", ("missing accept", "not ours accept")),
        ("hook output priority -100", "hook output priority -1", ("missing type nat", "not ours type nat")),
        ("\tcounter inbound_captured {\n\t}\n", "", ("counter inbound_captured: missing",)),
        ("\tchain proxy {", "\tchain drop_all {\n\t}\n\tchain proxy {", ("chain drop_all: not ours",)),
        (f"{ONLY_TCP}\n", f"{ONLY_TCP}\n\t\t{ONLY_TCP}\n", ("not as often",)),
        ("table inet proa {\n", "table inet proa {\n\tflags dormant\n", ("not ours flags dormant",)),
        (LISTED, "", ("table inet proa: missing", *("missing",) * 6, "missing")),
    ],
)
def test_a_table_edited_by_hand_is_told_by_the_edited_line(old: str, new: str, found: tuple[str, ...]) -> None:
    edited = LISTED.replace(old, new, 1)
    assert edited != LISTED
    told = differences(DEFAULT, edited)
    assert len(told) == len(found)
    assert all(part in text for part, text in zip(found, told, strict=True))


def test_rules_in_another_order_are_a_difference() -> None:
    first, last = 'oifname "lo" return', "meta l4proto 6 counter name"
    lines = LISTED.splitlines()
    one = next(number for number, line in enumerate(lines) if first in line)
    other = next(number for number, line in enumerate(lines) if last in line and CAPTURE in line)
    lines[one], lines[other] = lines[other], lines[one]
    assert differences(DEFAULT, "\n".join(lines)) == ("table inet proa, chain outbound: in another order",)
