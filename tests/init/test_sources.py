"""A flag beats the environment, which beats the file."""

from pathlib import Path

import pytest

from init.__main__ import main
from init.sources import arguments

FILE = """
# of the node
exclude-outbound-ports = 22
  udp=drop
"""


def test_each_source_says_what_the_ones_before_it_do_not() -> None:
    environment = {"PROA_INIT_UDP": "reject", "PROA_INIT_QUIC": "drop", "PROA_INIT_UNKNOWN": "1", "HOME": "/"}
    found = arguments(["--quic=bypass", "--dry-run"], environment, FILE)
    assert found == ("--exclude-outbound-ports=22", "--udp=reject", "--quic=bypass", "--dry-run")


def test_a_flag_apart_from_its_value_is_a_flag_given() -> None:
    assert arguments(["--udp", "drop"], {"PROA_INIT_UDP": "reject"}, "") == ("--udp", "drop")


def test_an_empty_variable_is_a_value() -> None:
    assert arguments([], {"PROA_INIT_EXCLUDE_INBOUND_PORTS": ""}, "") == ("--exclude-inbound-ports=",)


def test_the_file_is_the_one_that_the_environment_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "settings"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PROA_INIT_FILE", file.name)
    assert main(["--dry-run"]) == 2
    assert "PROA_INIT_FILE: found 'settings'" in capsys.readouterr().err
    file.write_text(FILE, encoding="utf-8")
    assert main(["--dry-run"]) == 0
    assert "tcp dport 22 " in capsys.readouterr().out
    file.write_text("ports=22", encoding="utf-8")
    assert main(["--dry-run"]) == 2
    assert "argument: found '--ports'" in capsys.readouterr().err
