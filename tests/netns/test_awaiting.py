"""A process without a capability waits until somebody else has intercepted its pod, and sees it by its connections."""

import shutil
import subprocess
import time
from collections.abc import Iterator

import pytest

from support.places import Inside

pytestmark = pytest.mark.netns

PROXY, APPLICATION = 1337, 1000
INSIDE = "as it should be: a connection to the pod itself, IPv{}\n"
OUT = "as it should be: a connection out, IPv{}\n"


def confined(uid: int) -> tuple[str, ...]:
    """As the `restricted` Pod Security Standard has it, and with nothing that it would let be added."""
    ids = (f"--reuid={uid}", f"--regid={uid}", "--clear-groups")
    return ("setpriv", *ids, "--no-new-privs", "--bounding-set=-all", "--inh-caps=-all")


@pytest.fixture
def waiting(pod: Inside, proa_init: tuple[str, ...]) -> Iterator[subprocess.Popen[str]]:
    """One that has begun to wait in a pod that nobody has programmed: it listens at the proxy's ports."""
    command = (shutil.which("ip") or "ip", "netns", "exec", pod.name, *confined(PROXY), *proa_init, "--await=60")
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            while ":15006" not in pod.run("ss", "-tlnH").stdout:
                assert process.poll() is None, process.stderr and process.stderr.read()
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("backend", ["nftables", "iptables-legacy"])
@pytest.mark.parametrize(
    ("uid", "flags", "shown"),
    [
        (PROXY, (), INSIDE),
        (PROXY, ("--exclude-inbound-ports=8080,15021,15090",), INSIDE),
        (PROXY, ("--include-inbound-ports=5000-5010", "--include-outbound-cidrs="), INSIDE),
        (APPLICATION, ("--include-inbound-ports=",), OUT),
        (APPLICATION, ("--include-inbound-ports=", "--include-outbound-cidrs=10.9.0.0/16,fd99::/16"), OUT),
        (APPLICATION, ("--include-outbound-cidrs=", "--outbound-ports-anywhere=5432"), OUT),
    ],
)
def test_who_was_intercepted_sees_it_at_once(
    pod: Inside, proa_init: tuple[str, ...], uid: int, flags: tuple[str, ...], shown: str, backend: str
) -> None:
    assert pod.init(*flags, f"--backend={backend}").returncode == 0
    done = pod.run(*confined(uid), *proa_init, *flags, "--await=1")
    assert (done.returncode, done.stdout, done.stderr) == (0, shown.format(4) + shown.format(6), "")


@pytest.mark.parametrize(("uid", "flags"), [(PROXY, ()), (APPLICATION, ("--include-inbound-ports=",))])
def test_who_is_not_intercepted_in_time_is_told_what_to_do(
    pod: Inside, proa_init: tuple[str, ...], uid: int, flags: tuple[str, ...]
) -> None:
    done = pod.run(*confined(uid), *proa_init, *flags, "--await=1")
    assert (done.returncode, done.stdout) == (3, "")
    assert "in 1 seconds nobody has intercepted this pod" in done.stderr
    assert "kubectl -n proa-node get pods" in done.stderr


def test_who_waits_sees_what_is_done_meanwhile(pod: Inside, waiting: subprocess.Popen[str]) -> None:
    assert pod.init().returncode == 0
    done = waiting.communicate(timeout=60)
    assert (waiting.returncode, done) == (0, (INSIDE.format(4) + INSIDE.format(6), ""))


def test_half_an_interception_is_none(pod: Inside, proa_init: tuple[str, ...]) -> None:
    assert pod.init("--ipv6=bypass").returncode == 0
    done = pod.run(*confined(PROXY), *proa_init, "--await=1")
    assert done.returncode == 3
    assert "not captured: a connection to the pod itself, IPv6" in done.stderr


def test_rules_that_lead_elsewhere_are_none(pod: Inside, proa_init: tuple[str, ...]) -> None:
    assert pod.init("--inbound-port=15001", "--outbound-port=15006").returncode == 0
    assert pod.run(*confined(PROXY), *proa_init, "--await=1").returncode == 3


def test_what_would_show_nothing_is_refused_at_once(pod: Inside, proa_init: tuple[str, ...]) -> None:
    before = time.monotonic()
    nothing = ("--include-inbound-ports=", "--include-outbound-cidrs=")
    done = pod.run(*confined(APPLICATION), *proa_init, *nothing, "--await=60")
    assert (done.returncode, done.stdout) == (1, "")
    assert "no connection of user 1000 and group 1000 would show" in done.stderr
    assert time.monotonic() - before < 30


def test_a_pod_that_goes_is_not_held(waiting: subprocess.Popen[str]) -> None:
    """As the first process of a container it would not even die of the signal, but for what it does about it."""
    waiting.terminate()
    assert waiting.wait(60) == 143
