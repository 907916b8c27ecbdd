"""A command line is read whole or refused whole."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from init import flags
from init.flags import Action, Await, Compare, Help, Install, Prove, Remove, Request, Verify, usage
from proa.capture.choices import DnsTo, ExcludedUsers, Tproxied
from proa.capture.interception import Interception
from proa.capture.settings import described
from proa.errors import Refused
from support.interceptions import interceptions


def request(arguments: list[str], servers: tuple[str, ...] = ()) -> Request | Help:
    return flags.request(arguments, lambda: servers)


def test_nothing_asked_is_the_default() -> None:
    assert request([]) == Request(Install(Interception()), dry_run=False, output="text", backend="auto")


@given(interceptions())
def test_every_setting_is_taken_as_it_is_described(wanted: Interception) -> None:
    joined = [f"--{name}={value}" for name, value in described(wanted).items()]
    spaced = [word for name, value in described(wanted).items() for word in (f"--{name}", value)]
    expected = Request(Install(wanted), dry_run=False, output="text", backend="auto")
    assert request(joined) == request(spaced) == expected


@pytest.mark.parametrize(
    ("flag", "action"),
    [
        ("--diff", Compare(Interception())),
        ("--verify", Verify(Interception())),
        ("--prove", Prove(Interception())),
        ("--await=60", Await(Interception(), 60)),
        ("--remove", Remove()),
    ],
)
def test_one_thing_is_done_at_a_time(flag: str, action: Action) -> None:
    asked = request([flag])
    assert isinstance(asked, Request)
    assert asked.action == action


def test_a_line_as_a_person_writes_it() -> None:
    line = (
        "--proxy-uid 1-3,7 --exclude-users=2000:5432,80;33 --inbound-mode tproxy:5:6 --exclude-inbound-ports= -o json"
    )
    wanted = Interception(
        proxy_uids=((1, 3), (7, 7)),
        excluded_users=(ExcludedUsers(((2000, 2000),), ((5432, 5432), (80, 80))), ExcludedUsers(((33, 33),))),
        inbound_mode=Tproxied(5, 6),
        excluded_inbound_ports=(),
    )
    assert request(line.split()) == Request(Install(wanted), dry_run=False, output="json", backend="auto")


def test_the_pods_own_name_servers_are_looked_up_when_they_are_meant() -> None:
    asked = request(["--dns=resolv.conf"], ("10.96.0.10", "fd00::a"))
    assert asked == Request(
        Install(Interception(dns=DnsTo(("10.96.0.10", "fd00::a")))), dry_run=False, output="text", backend="auto"
    )


def test_a_pod_without_name_servers_cannot_mean_its_own() -> None:
    with pytest.raises(Refused, match="--dns: found 'nothing'"):
        request(["--dns=resolv.conf"])


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_is_asked_for(flag: str) -> None:
    assert request(["--remove", flag]) == Help()


def test_usage_names_every_flag_with_its_default() -> None:
    assert "--exclude-inbound-ports VALUE     ports reached directly: ports and ranges" in usage()
    assert "(15021,15090)" in usage()
    assert all(flag in usage() for flag in ("--dry-run", "--remove", "--output", "--proxy-gid"))


@pytest.mark.parametrize(
    ("line", "problems"),
    [
        ("--proxy-uid", [("--proxy-uid", "nothing", "numbers and ranges")]),
        ("--exclude-inbound-ports", [("--exclude-inbound-ports", "nothing", "ports and ranges")]),
        ("--proxy-uid --remove", [("--proxy-uid", "nothing", "numbers and ranges")]),
        ("--proxy-uid=-1", [("--proxy-uid", "'-1'", "numbers and ranges")]),
        ("--proxy-uid 99999999999", [("--proxy-uid", "'99999999999'", "numbers and ranges")]),
        ("--proxy-uid ²", [("--proxy-uid", "'²'", "numbers and ranges")]),
        ("--exclude-inbound-ports 1,,2", [("--exclude-inbound-ports", "'1,,2'", "ports and ranges")]),
        ("--exclude-inbound-ports 9-1", [("--exclude-inbound-ports", "'9-1'", "ports of 1 to 65535")]),
        ("--inbound-mode tproxy:1", [("--inbound-mode", "'tproxy:1'", "redirect, tproxy or")]),
        ("--drop-invalid yes", [("--drop-invalid", "'yes'", "true or false")]),
        ("--ipv6 off", [("--ipv6", "'off'", "capture, bypass or drop")]),
        ("--exclude-users a", [("--exclude-users", "'a'", "UIDS, or UIDS:PORTS")]),
        ("--exclude-interfaces a,,b", [("--exclude-interfaces", "'a,,b'", "names with commas")]),
        ("-o yaml", [("--output", "'yaml'", "json or text")]),
        ("--backend nft", [("--backend", "'nft'", "auto or nftables or iptables or iptables-legacy")]),
        ("--diff --verify", [("--verify", "'with --diff'", "one of them")]),
        ("--prove --dry-run", [("--dry-run", "'with --prove'", "one of them")]),
        ("--remove=yes", [("--remove", "'yes'", "no value")]),
        ("--remove --remove", [("--remove", "nothing", "each flag once")]),
        ("--await 0", [("--await", "'0'", "seconds, 1 to 3600")]),
        ("--await 60 --prove", [("--await", "'with --prove'", "one of them")]),
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
