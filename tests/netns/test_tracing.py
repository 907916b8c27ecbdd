"""The kernel's own account of a packet is what was computed, for any of its ways; and where it is not, that is said."""

import json
import signal
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat

import pytest

from support.places import Wired

pytestmark = pytest.mark.netns

FLAGS = (
    "--dns=10.77.9.53,fd77:9::53",
    "--udp=drop",
    "--exclude-outbound-ports=22",
    "--log-rate=10",
    "--drop-invalid=true",
)
TPROXY = ("--inbound-mode=tproxy", "--ipv6=drop", "--exclude-users=2000:443")
CONNECTIONS = [
    (FLAGS, "to=10.96.0.10:80,uid=1000"),
    (FLAGS, "to=10.96.0.10:22,uid=1000"),
    (FLAGS, "to=10.96.0.10:5000,uid=1000,udp"),
    (FLAGS, "to=[fd77:9::53]:53,uid=1000,udp"),
    (FLAGS, "to=10.77.0.2:8080,uid=1337,own"),
    (FLAGS, "to=[::6]:8080,uid=1000"),
    (FLAGS, "to=[::ffff:10.96.0.10]:80,uid=1000"),
    (FLAGS, "to=10.77.9.53:53,uid=1337,udp"),
    (TPROXY, "to=10.96.0.10:443,uid=2000,gid=5"),
    (TPROXY, "to=[fd96::10]:80,uid=1000"),
]


def lines(met: list[dict[str, str]]) -> list[tuple[str, str]]:
    """But for those in the log, of which there are so many a second."""
    return [(each["chain"], each["rule"]) for each in met if "said in the log" not in each["rule"]]


@pytest.mark.parametrize(("flags", "connection"), CONNECTIONS)
def test_the_kernel_leads_a_connection_as_computed(network: Wired, flags: tuple[str, ...], connection: str) -> None:
    network.configure(*flags)
    computed = json.loads(network.pod.init("--explain", connection, *flags, "-o", "json").stdout)
    done = network.pod.init("--trace", connection, *flags, "-o", "json")
    assert done.returncode == 0, done.stderr
    traced = json.loads(done.stdout)
    ours = lines([each for each in traced["met"] if each["table"] == "inet proa"])
    assert ours[: len(lines(computed["met"]))] == lines(computed["met"])
    assert (traced["outcome"], traced["port"]) == (computed["outcome"], computed["port"])
    assert "proa_trace" not in network.pod.rules()


@pytest.mark.parametrize("flags", [FLAGS, TPROXY])
def test_one_that_arrives_is_waited_for(network: Wired, flags: tuple[str, ...]) -> None:
    network.configure(*flags)
    with ThreadPoolExecutor(1) as pool:
        tracing = pool.submit(network.pod.init, "--trace", "to=10.77.0.2:8080", *flags)
        for _ in repeat(None):
            network.probe("peer", (0, 0), "10.77.0.2", 8080)
            if tracing.done():
                break
    assert tracing.result().returncode == 0, tracing.result().stderr
    assert tracing.result().stdout.endswith("captured at port 15006\n")


def test_whoever_is_told_to_stop_waiting_leaves_nothing(network: Wired, proa_init: tuple[str, ...]) -> None:
    network.configure()
    done = network.pod.run("timeout", "--preserve-status", "2", *proa_init, "--trace", "to=10.77.0.2:8080")
    assert (done.returncode, done.stdout) == (128 + signal.SIGTERM, "")
    assert "proa_trace" not in network.pod.rules()


def test_rules_of_others_are_told_and_other_rules_of_ours_refused(network: Wired) -> None:
    network.configure(*FLAGS)
    rule = "oifname eth0 tcp dport 443 counter comment theirs"
    theirs = f"table ip theirs {{ chain out {{ type filter hook output priority -200; {rule}\n}}\n}}"
    network.pod.run("nft", theirs, check=True)
    try:
        found = network.pod.init("--trace", "to=10.96.0.10:443,uid=1000", *FLAGS).stdout
        assert "ip theirs out: theirs (continue)\n" in found
    finally:
        network.pod.run("nft", "delete table ip theirs", check=True)
    refused = network.pod.init("--trace", "to=10.96.0.10:22,uid=1000")
    assert refused.returncode == 1
    assert "met, though not computed: destinations: excluded ports are dialled directly" in refused.stderr
    assert "proa_trace" not in network.pod.rules()
