"""A command line is read whole or refused whole."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from init.flags import Help, Install, Remove, Request, request, usage
from init.interception import Interception
from proa.errors import Refused


def test_nothing_asked_is_the_default() -> None:
    assert request([]) == Request(Install(Interception()), dry_run=False, output="text")


def test_every_setting_is_taken_by_both_spellings() -> None:
    wanted = Interception(1, 2, 3, 4, (5, 6))
    spaced = "--proxy-uid 1 --proxy-gid 2 --outbound-port 3 --inbound-port 4 --exclude-inbound-ports 5,6 -o json"
    joined = "--proxy-uid=1 --proxy-gid=2 --outbound-port=3 --inbound-port=4 --exclude-inbound-ports=5,6 --output=json"
    expected = Request(Install(wanted), dry_run=False, output="json")
    assert request(spaced.split()) == request(joined.split()) == expected


def test_no_port_is_excluded_when_none_is_given() -> None:
    asked = request(["--exclude-inbound-ports", ""])
    assert asked == Request(Install(Interception(excluded_inbound_ports=())), dry_run=False, output="text")


def test_removal_and_dry_run_are_switches() -> None:
    assert request(["--remove", "--dry-run"]) == Request(Remove(), dry_run=True, output="text")


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_is_asked_for(flag: str) -> None:
    assert request(["--remove", flag]) == Help()


def test_usage_names_every_flag_with_its_default() -> None:
    assert "--exclude-inbound-ports VALUE   ports reached directly (15021,15090)" in usage()
    assert all(flag in usage() for flag in ("--dry-run", "--remove", "--output", "--proxy-gid"))


@pytest.mark.parametrize(
    ("line", "problems"),
    [
        ("--proxy-uid", [("--proxy-uid", "nothing", "a number")]),
        ("--exclude-inbound-ports", [("--exclude-inbound-ports", "nothing", "numbers with commas")]),
        ("--proxy-uid --remove", [("--proxy-uid", "nothing", "a number")]),
        ("--proxy-uid=-1", [("--proxy-uid", "'-1'", "a number")]),
        ("--proxy-uid 99999999999", [("--proxy-uid", "'99999999999'", "a number")]),
        ("--proxy-uid ²", [("--proxy-uid", "'²'", "a number")]),
        ("--exclude-inbound-ports 1,,2", [("--exclude-inbound-ports", "'1,,2'", "numbers with commas")]),
        ("--exclude-inbound-ports 1-9", [("--exclude-inbound-ports", "'1-9'", "numbers with commas")]),
        ("-o yaml", [("--output", "'yaml'", "json or text")]),
        ("--remove=yes", [("--remove", "'yes'", "no value")]),
        ("--remove --remove", [("--remove", "nothing", "each flag once")]),
        ("--uid 3", [("argument", "'--uid'", "--proxy-uid, "), ("argument", "'3'", "--proxy-uid, ")]),
        ("--inbound-port 0", [("--inbound-port", "0", "1 to 65535")]),
        ("-o x --proxy-uid 0", [("--output", "'x'", "json or text"), ("--proxy-uid", "0", "1 to 4294967294")]),
    ],
)
def test_what_makes_no_sense_is_refused_by_its_flag(line: str, problems: list[tuple[str, str, str]]) -> None:
    with pytest.raises(Refused) as refused:
        request(line.split())
    assert len(refused.value.problems) == len(problems)
    for problem, (field, found, allowed) in zip(refused.value.problems, problems, strict=True):
        assert (problem.field, problem.found) == (field, found)
        assert allowed in problem.allowed


@given(st.lists(st.text(max_size=12)))
def test_no_command_line_is_anything_but_read_or_refused(arguments: list[str]) -> None:
    with suppress(Refused):
        assert isinstance(request(arguments), Request | Help)
