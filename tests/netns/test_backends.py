"""Which backend is used, and why; each reads back what it did, and leaves nothing of it when it is removed."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from support.places import Inside, complaints

pytestmark = pytest.mark.netns

HALVES = (
    "--include-outbound-cidrs=0.0.0.0/1,128.0.0.0/1,::/1,8000::/1",
    "--exclude-outbound-cidrs=10.0.0.0/25,10.0.0.128/25,10.0.1.0/24,10.0.2.0/24,fd00::/17,fd00:8000::/17",
)
BACKENDS = ("nftables", "iptables", "iptables-legacy")
FOREIGN = "*nat\n:THEIRS - [0:0]\n-A OUTPUT -j THEIRS\n-A THEIRS -p tcp --dport 25 -j RETURN\nCOMMIT\n"
TPROXY = ("--inbound-mode=tproxy", "--dns=all", "--ipv6=drop", "--udp=reject")


def state(namespace: Inside) -> Mapping[str, str]:
    """All that interception may leave, but for counters and iptables' empty tables."""
    saves = ("iptables-save", "ip6tables-save", "iptables-legacy-save", "ip6tables-legacy-save")
    commands = {
        "nft": ["nft", "-s", "list", "table", "inet", "proa"],
        "rules": ["ip", "rule"],
        "6": ["ip", "-6", "rule"],
        "routes": ["ip", "route", "show", "table", "all"],
        "address": ["ip", "-6", "addr", "show", "dev", "lo"],
    }
    found = {name: namespace.run(*command).stdout for name, command in commands.items()}
    return found | {
        save: "".join(f"{line}\n" for line in namespace.run(save).stdout.splitlines() if line.startswith("-A"))
        for save in saves
    }


def failing(directory: Path, program: str, complaint: str) -> str:
    """A directory for the PATH, where *program* only complains."""
    script = directory / program
    script.write_text(f"#!/bin/sh\necho '{complaint}' >&2\nexit 1\n", encoding="utf-8")
    script.chmod(0o755)
    return str(directory)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("flags", [(), TPROXY, HALVES], ids=["redirect", "tproxy", "halves of all"])
def test_what_was_put_in_is_taken_out_and_nothing_else(namespace: Inside, backend: str, flags: tuple[str, ...]) -> None:
    namespace.run("sh", "-c", f"printf '{FOREIGN}' | iptables-legacy-restore --noflush", check=True)
    before = state(namespace)
    assert namespace.init(f"--backend={backend}", *flags).returncode == 0
    assert state(namespace) != before
    assert namespace.init("--remove").returncode == 0
    assert state(namespace) == before
    assert "THEIRS" in before["iptables-legacy-save"]


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_second_run_under_tproxy_changes_nothing(namespace: Inside, backend: str) -> None:
    namespace.init(f"--backend={backend}", *TPROXY)
    once = state(namespace)
    done = namespace.init(f"--backend={backend}", *TPROXY, "-o", "json")
    assert (done.returncode, json.loads(done.stdout)["action"]) == (0, "unchanged")
    assert state(namespace) == once


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("later", [(), ("--inbound-mode=tproxy:5:6",), ("--inbound-mode=tproxy:1337:77",)])
def test_another_configuration_leaves_nothing_of_the_former(
    namespace: Inside, backend: str, later: tuple[str, ...]
) -> None:
    assert namespace.init(f"--backend={backend}", *later).returncode == 0
    alone = state(namespace)
    for flags in (TPROXY, later):
        assert namespace.init(f"--backend={backend}", *flags).returncode == 0
    assert state(namespace) == alone


def test_where_nftables_cannot_work_iptables_does_and_the_reason_is_said(namespace: Inside, tmp_path: Path) -> None:
    path = failing(tmp_path, "nft", "Error: Could not process rule: Operation not supported")
    told: dict[str, Any] = json.loads(namespace.init("-o", "json", path=path).stdout)
    assert told["backend"] == {
        "name": "iptables",
        "reason": "nftables does not work here: Error: Could not process rule: Operation not supported",
    }
    assert "-A OUTPUT -j PROA_OUTBOUND" in state(namespace)["iptables-save"]


def test_where_neither_works_the_first_refusal_is_told(namespace: Inside) -> None:
    done = namespace.init(path="/nonexistent:")
    assert (done.returncode, done.stdout) == (1, "")
    assert "nft cannot be run" in done.stderr


def test_a_missing_capability_is_no_reason_to_try_another(namespace: Inside, proa_init: tuple[str, ...]) -> None:
    done = namespace.run("setpriv", "--bounding-set=-net_admin", "--inh-caps=-all", *proa_init, "--backend=iptables")
    assert done.returncode == 1
    assert "CAP_NET_ADMIN" in done.stderr
    assert "PROA" not in state(namespace)["iptables-save"]


def test_a_failure_of_the_second_family_takes_the_first_back(namespace: Inside, tmp_path: Path) -> None:
    namespace.init("--backend=iptables-legacy")
    before = state(namespace)
    path = failing(tmp_path, "ip6tables-legacy-restore", "ip6tables-restore: line 3 failed")
    # The way back needs the program, too: it is there again once it has failed.
    real = shutil.which("ip6tables-legacy-restore")
    (tmp_path / "ip6tables-legacy-restore").write_text(
        f'#!/bin/sh\nif [ -e {tmp_path}/failed ]; then exec {real} "$@"; fi\n'
        f"touch {tmp_path}/failed\necho 'line 3 failed' >&2\nexit 1\n",
        encoding="utf-8",
    )
    done = namespace.init("--backend=iptables-legacy", "--inbound-port=16006", path=path)
    assert (done.returncode, done.stdout) == (1, "")
    assert "line 3 failed" in done.stderr
    assert state(namespace) == before


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_dry_run_prints_what_would_be_told(namespace: Inside, backend: str) -> None:
    before = state(namespace)
    told = namespace.init(f"--backend={backend}", "--dry-run").stdout
    assert ("table inet proa {" in told) is (backend == "nftables")
    assert ("# ip6tables" in told) is (backend != "nftables")
    assert state(namespace) == before


@pytest.mark.parametrize(
    ("backend", "capabilities"),
    [("nftables", "+net_admin"), ("iptables", "+net_admin"), ("iptables-legacy", "+net_admin,+net_raw")],
)
def test_the_capabilities_it_takes_are_the_ones_it_says_and_no_file_is_written(
    namespace: Inside, proa_init: tuple[str, ...], backend: str, capabilities: str
) -> None:
    limited = f"setpriv --bounding-set=-all,{capabilities} --inh-caps=-all"
    read_only = "mount -t tmpfs -o ro none /run; mount -t tmpfs -o ro none /var/tmp"
    command = f"{read_only}; {limited} {' '.join(proa_init)} --backend={backend} --inbound-mode=tproxy"
    done = namespace.run("unshare", "-m", "sh", "-c", command)
    assert (done.returncode, complaints(done)) == (0, "")
    assert namespace.init(f"--backend={backend}", "--inbound-mode=tproxy", "--verify").returncode == 0


def test_the_legacy_programs_say_that_they_take_another_capability(
    namespace: Inside, proa_init: tuple[str, ...]
) -> None:
    command = ("setpriv", "--bounding-set=-all,+net_admin", "--inh-caps=-all", *proa_init, "--backend=iptables-legacy")
    done = namespace.run(*command)
    assert done.returncode == 1
    assert "CAP_NET_RAW" in done.stderr


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_kernel_with_ipv6_off_is_no_error(namespace: Inside, backend: str) -> None:
    namespace.run("sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1", check=True)
    for flags in (TPROXY, (*TPROXY, "--verify"), ("--remove",)):
        done = namespace.init(f"--backend={backend}", *flags)
        assert (done.returncode, complaints(done)) == (0, "")
