"""proa-init as it is run, where it does not touch the kernel."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from init.__main__ import main
from init.nftables import removal, script
from init.rules import ruleset
from proa.capture.interception import Interception
from support.imaged import proa_init


def test_a_dry_run_prints_the_script(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--dry-run", "--inbound-port", "16006"]) == 0
    assert capsys.readouterr().out == script(ruleset(Interception(inbound_port=16006)))


def test_a_dry_removal_prints_the_removal(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--dry-run", "--remove", "-o", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"action": "none", "script": removal()}


def test_help_is_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    assert capsys.readouterr().out.startswith("usage: proa-init")


def test_a_bad_command_line_ends_with_2_and_says_everything() -> None:
    arguments = ["--proxy-uid", "root", "--inbound-port=70000", "--verbose"]
    done = subprocess.run([sys.executable, "-m", "init", *arguments], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "--proxy-uid: found 'root', allowed: numbers and ranges" in done.stderr
    assert "--inbound-port: found 70000, allowed: 1 to 65535" in done.stderr
    assert "argument: found '--verbose', allowed: --proxy-uid, " in done.stderr


def test_starting_imports_none_of_the_slow_modules() -> None:
    slow = {
        "ipaddress",
        "argparse",
        "dataclasses",
        "inspect",
        "json",
        "socket",
        "subprocess",
        "typing",
        "re",
        "enum",
        "proa.errors",
        "init.fate",
    }
    code = f"import sys, init.__main__; print(sorted({slow} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_in_the_image_its_packages_are_found_beside_it_without_site(tmp_path: Path) -> None:
    command = proa_init(tmp_path)
    for arguments, status in (["--dry-run"], 0), (["--inbound-port=0"], 2):
        done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False, cwd="/")
        assert done.returncode == status
        assert done.stdout == (script(ruleset(Interception())) if not status else "")
        assert ("--inbound-port: found 0" in done.stderr) == bool(status)


@pytest.mark.parametrize(
    ("connection", "lines"),
    [
        (
            "to=10.96.0.10:80,uid=1000",
            [
                "outbound: all else is the application's",
                "destinations: all other connections of the application",
                "captured at port 15001",
            ],
        ),
        (
            "to=[fd96::10]:80,uid=1337,gid=5",
            ["outbound: the proxy's own connections, by its user", "proxy: the proxy is not sent to itself", "direct"],
        ),
        (
            "to=10.77.0.2:8080,uid=1337,own",
            [
                "outbound: the proxy's own connections, by its user",
                "proxy: the pod calls itself by a service address",
                "inbound_ports: all other connections to the pod",
                "captured at port 15006",
            ],
        ),
        (
            "to=10.77.0.2:15021",
            ["inbound: connections to the pod", "inbound_ports: excluded ports are reached directly", "direct"],
        ),
        (
            "to=10.96.0.10:443,uid=1000,udp",
            ["outbound: only TCP is intercepted", "leaving: no proxy takes datagrams", "dropped"],
        ),
        (
            "to=10.96.0.10:80,uid=1000,by=eth1",
            ["outbound: excluded interfaces are left alone", "leaving: excluded interfaces are left alone", "direct"],
        ),
    ],
)
def test_the_rules_that_a_connection_meets_are_told(
    connection: str, lines: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--explain", connection, "--udp=drop", "--exclude-interfaces=eth1"]) == 0
    told = capsys.readouterr().out.splitlines()
    assert [line for line in told if "left alone" in line or "inside" in line or line in lines] == lines


def test_they_are_told_to_a_script_as_well(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--explain=to=10.77.0.2:8080", "-o", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["outcome"], told["port"], told["met"][-1]["chain"]) == ("captured", 15006, "inbound_ports")


@pytest.mark.parametrize(
    "connection",
    [
        "",
        "to=10.0.0.1",
        "to=fd00::1:80",
        "to=10.0.0.0/8:80",
        "to=10.0.0.1:0",
        "uid=5",
        "to=10.0.0.1:80,gid=5",
        "to=10.0.0.1:80,from=x",
        "to=10.0.0.1:80,icmp",
    ],
)
def test_what_is_no_connection_is_refused(connection: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([f"--explain={connection}"]) == 2
    assert "--explain: found" in capsys.readouterr().err
