"""The whole path, as a user runs it: real webhook, authority, nftables and Envoy; real packets."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest

Proa: TypeAlias = Callable[..., subprocess.CompletedProcess[str]]
Leftovers: TypeAlias = Callable[[], list[str]]

PROA = Path(sys.executable).with_name("proa")

pytestmark = [pytest.mark.netns, pytest.mark.timeout(300)]


def test_the_proof_holds_and_nothing_is_left_behind(proa: Proa, leftovers: Leftovers) -> None:
    done = proa("-o", "json")
    assert done.returncode == 0, done.stderr
    proof: dict[str, Any] = json.loads(done.stdout)
    assert [claim["sentence"] for claim in proof["claims"] if not claim["holds"]] == []
    assert len(proof["journeys"]) == 2, "one request by IPv4, one by IPv6"
    for journey in proof["journeys"]:
        assert journey["client"]["original_destination"] == journey["server"]["original_destination"]
        assert journey["client"]["original_destination"] == journey["dialled"]
        assert journey["client"]["tls"] == journey["server"]["tls"] == "TLSv1.3"
        assert journey["client"]["peer"] == "spiffe://cluster.local/ns/shop/sa/web"
        assert journey["server"]["peer"] == "spiffe://cluster.local/ns/shop/sa/client"
    assert all("1200 amphorae" in request["body"] for request in proof["requests"])
    assert all(counter["after"] - counter["before"] == 2 for counter in proof["counters"])
    assert proof["without_injection"]["cleartext"] == 2
    assert proof["with_injection"]["cleartext"] == 0
    assert proof["rotation"]["failures"] == []
    assert proof["rotation"]["requests"] >= 20
    assert proof["rotation"]["serials_seen"] == [proof["rotation"]["serial_before"], proof["rotation"]["serial_after"]]
    assert leftovers() == []


def test_a_demo_that_is_kept_can_be_looked_into_and_removed(proa: Proa, leftovers: Leftovers) -> None:
    kept = proa("--keep")
    assert kept.returncode == 0, kept.stderr
    assert "proa demo down" in kept.stderr

    assert proa("exec", "client", "--", "id", "-u").stdout == "1000\n"
    assert proa("exec", "client", "--", "hostname").stdout == "client\n"
    assert proa("exec", "web", "-c", "proa-proxy", "--", "id", "-u").stdout == "1337\n"
    assert "CapEff:\t0000000000000000" in proa("exec", "web", "-c", "proa-proxy", "--", "cat", "/proc/1/status").stdout
    read_only = proa("exec", "web", "-c", "proa-proxy", "--", "sh", "-c", "touch /file")
    assert "Read-only file system" in read_only.stderr
    denied = proa("exec", "web", "--", "cat", "/var/run/secrets/proa.dev/identity/credential-bundle.pem")
    assert denied.returncode != 0, "the application does not see the sidecar's key"

    url = next(word for word in kept.stderr.split("'") if word.startswith("http://"))
    ask = f"import urllib.request as r; print(r.urlopen('{url}').read())"
    assert "amphorae" in proa("exec", "client", "--", "python3", "-c", ask).stdout

    second = proa()
    assert second.returncode == 2
    assert "proa demo down" in second.stderr
    for words, found in (
        (("exec", "nobody", "--", "id"), "nobody"),
        (("exec", "web", "-c", "x", "--", "id"), "'x'"),
        (("exec", "/etc", "--", "id"), "'/etc'"),
    ):
        refused = proa(*words)
        assert refused.returncode == 2
        assert found in refused.stderr

    removed = proa("down")
    assert "proa-demo-web" in removed.stdout
    assert leftovers() == []
    assert proa("down").stdout == "nothing to remove\n"


def test_an_impatient_user_who_interrupts_twice_leaves_nothing_either(leftovers: Leftovers) -> None:
    with subprocess.Popen([PROA, "demo"], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as running:
        assert running.stderr is not None
        for line in running.stderr:
            if "client asks" in line:
                break
        for _ in range(20):
            running.send_signal(signal.SIGINT)
            running.send_signal(signal.SIGTERM)
            time.sleep(0.02)
        running.communicate(timeout=120)
    assert leftovers() == []


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_demo_that_is_interrupted_leaves_nothing(signum: signal.Signals, leftovers: Leftovers) -> None:
    with subprocess.Popen([PROA, "demo"], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as running:
        assert running.stderr is not None
        for line in running.stderr:
            if "injected pods start" in line:
                break
        running.send_signal(signum)
        _, errors = running.communicate(timeout=120)
    assert running.returncode == 1
    assert "Traceback" not in errors
    assert leftovers() == []


def test_a_demo_whose_sidecar_dies_says_so_and_leaves_nothing(leftovers: Leftovers) -> None:
    with subprocess.Popen([PROA, "demo"], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as running:
        assert running.stderr is not None
        for line in running.stderr:
            if "injected pods start" in line:
                break
        _kill_the_first_sidecar()
        _, errors = running.communicate(timeout=120)
    assert running.returncode == 2
    assert "proa-proxy" in errors
    assert leftovers() == []


def test_the_path_of_a_shell_that_only_became_root_is_enough() -> None:
    done = subprocess.run(
        [PROA, "demo", "exec", "nobody", "--", "id"],
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "nft" not in done.stderr
    assert "nobody" in done.stderr


def test_without_the_capability_for_mounts_it_says_what_is_needed() -> None:
    without = ["setpriv", "--bounding-set=-sys_admin", "--inh-caps=-all", "--", PROA, "demo"]
    done = subprocess.run(without, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "CAP_SYS_ADMIN" in done.stderr


def test_a_user_who_is_not_root_is_told_so() -> None:
    # The installation may be out of another user's reach, so it is loaded before the user changes.
    program = "import os; from demo.session import check_machine; os.seteuid(1000); check_machine()"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert "user: found uid 1000, allowed: root" in done.stderr


def _kill_the_first_sidecar() -> None:
    """As soon as it has been started, which is within seconds of the line that announces it."""
    file, deadline = Path("/run/proa-demo/pods/web/proa-proxy/pid"), time.monotonic() + 60
    while not (file.exists() and file.read_text()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.kill(int(file.read_text()), signal.SIGKILL)
