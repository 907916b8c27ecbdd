"""proa-init as it is run, where it does not touch the kernel."""

import json
import subprocess
import sys

import pytest

from init.__main__ import main
from init.nftables import removal, script
from init.rules import ruleset
from proa.capture.interception import Interception


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
    }
    code = f"import sys, init.__main__; print(sorted({slow} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
