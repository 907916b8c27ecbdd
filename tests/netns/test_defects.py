"""What the peers got wrong, or did not try, as packets. Numbers are those of the behavioural cases.

The tunnel's port under TPROXY, the proxy's second user, exclusions beside a list, and a name server whose socket root
made are in the table of cases; a second run under TPROXY is with the backends.
"""

import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from netns.cases import APP, POD, SERVICE
from support.places import Done, Wired, complaints

pytestmark = pytest.mark.netns

PACKETS = Path(__file__).with_name("packets.py")
USERNS = Path(__file__).with_name("userns.py")


def strayed(network: Wired, *how: str) -> bool:
    done = network.peer.run(sys.executable, str(PACKETS), "stray", POD[4], "8080", *how, check=True)
    return bool(json.loads(done.stdout)["reset"])


@pytest.mark.parametrize("backend", ["nftables", "iptables-legacy"])
def test_case_47_a_packet_out_of_the_window_is_dropped_where_the_application_would_reset(
    network: Wired, backend: str
) -> None:
    network.configure("--drop-invalid=false", f"--backend={backend}")
    assert strayed(network)
    network.configure("--drop-invalid=true", f"--backend={backend}")
    assert not strayed(network, "short")


@pytest.mark.parametrize("mode", ["redirect", "tproxy"])
def test_case_48_no_connection_passes_by_while_the_rules_are_replaced(network: Wired, mode: str) -> None:
    one, other = (f"--inbound-mode={mode}", "--backend=nftables"), (f"--inbound-mode={mode}", "--quic=drop")
    network.configure(*one)
    done: list[Done] = []
    enough = threading.Event()

    def replace() -> None:
        while len(done) < 8 or not enough.is_set():
            done.append(network.pod.init(*(one, other)[len(done) % 2]))

    replacing = threading.Thread(target=replace)
    replacing.start()
    seen: set[object] = set()
    tries = 0
    try:
        while replacing.is_alive() and (tries <= 8 or len(done) < 8):
            tries += 1
            seen.add(network.probe("pod", APP, SERVICE[4], 80).get("port"))
            seen.add(network.probe("peer", APP, POD[6], 8080).get("port"))
    finally:
        enough.set()
        replacing.join()
    network.configure(*other)
    assert {each.returncode for each in done} == {0}
    assert seen == {15001, 15006}
    assert min(tries, len(done)) >= 8


def test_case_53_the_proxy_of_a_user_namespace_is_known_as_such(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text(
        "set -e\n"
        "ip link set lo up; ip link add eth0 type veth peer name far; ip link set far up; ip link set eth0 up\n"
        "ip addr add 10.77.0.2/24 dev eth0; ip route add default via 10.77.0.1\n"
        f"{sys.executable} -m init --dns=all; {sys.executable} -m init --dns=all --prove\n",
        encoding="utf-8",
    )
    done = subprocess.run(
        [sys.executable, str(USERNS), "sh", str(script)], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, complaints(done)) == (0, "")
    assert "as it should be: the proxy's own connection out, IPv4\n" in done.stdout
