"""What changes nothing: --diff, --verify and --prove say whether interception is as it is wanted."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from support.places import Inside

pytestmark = pytest.mark.netns

BACKENDS = ("nftables", "iptables-legacy")
ALL = (
    "--inbound-mode=tproxy",
    "--dns=10.77.9.53",
    "--exclude-outbound-ports=22,25",
    "--udp=drop",
    "--exclude-outbound-cidrs=198.51.100.0/24",
)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_difference_is_said_and_left(namespace: Inside, backend: str) -> None:
    namespace.init(f"--backend={backend}")
    before = namespace.rules()
    changes = namespace.init(f"--backend={backend}", "--outbound-port=15011", "--diff", "-o", "json")
    assert namespace.rules() == before
    told = json.loads(changes.stdout)["differences"]
    assert any("missing" in line and "15011" in line for line in told)
    assert any("not ours" in line and "15001" in line for line in told)
    assert namespace.init(f"--backend={backend}", "--diff").stdout == "nothing would change\n"


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("flags", [(), ALL], ids=["default", "all"])
def test_what_was_put_in_is_verified(namespace: Inside, backend: str, flags: tuple[str, ...]) -> None:
    namespace.init(f"--backend={backend}", *flags)
    done = namespace.init(f"--backend={backend}", *flags, "--verify")
    assert (done.returncode, done.stdout) == (0, "all is as asked for\n")


def edited_chain(namespace: Inside) -> None:
    namespace.run("nft", "insert", "rule", "inet", "proa", "outbound", "tcp", "dport", "5432", "accept", check=True)


def lost_set(namespace: Inside) -> None:
    namespace.run("nft", "delete", "element", "inet", "proa", "excluded_outbound_ports", "{ 22 }", check=True)


def lost_rule(namespace: Inside) -> None:
    namespace.ip("rule del fwmark 1337")


def lost_route(namespace: Inside) -> None:
    namespace.ip("route flush table 133")


def lost_address(namespace: Inside) -> None:
    namespace.ip("-6 addr del ::6/128 dev lo")


@pytest.mark.parametrize(
    ("drift", "found"),
    [
        (edited_chain, "chain outbound: not ours tcp dport 5432 accept"),
        (lost_set, "set excluded_outbound_ports, elements =: missing 22"),
        (lost_rule, "rule of mark 1337: missing"),
        (lost_route, "route of table 133: missing"),
        (lost_address, "::6 on lo: missing"),
    ],
)
def test_case_55_what_was_changed_by_hand_is_found_and_mended(
    namespace: Inside, drift: Callable[[Inside], None], found: str
) -> None:
    namespace.init(*ALL)
    drift(namespace)
    done = namespace.init(*ALL, "--verify")
    assert (done.returncode, done.stdout) == (1, "")
    assert found in done.stderr
    assert namespace.init(*ALL).returncode == 0
    assert namespace.init(*ALL, "--verify").returncode == 0


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    "flags",
    [(), ALL, ("--ipv6=drop",), ("--include-outbound-cidrs=",), ("--dns=all", "--include-gids=500")],
    ids=["default", "all", "IPv6 dropped", "no outbound", "groups"],
)
def test_connections_prove_what_was_put_in(pod: Inside, backend: str, flags: tuple[str, ...]) -> None:
    pod.init(f"--backend={backend}", *flags)
    done = pod.init(*flags, "--prove")
    assert (done.returncode, done.stderr) == (0, "")
    for family in ("IPv4", "IPv6"):
        assert f"as it should be: a connection out, {family}\n" in done.stdout
        assert f"as it should be: the proxy's connection to the pod, {family}\n" in done.stdout


def test_connections_find_that_nothing_was_put_in(pod: Inside) -> None:
    done = pod.init("--prove", "--dns=10.77.9.53")
    assert (done.returncode, done.stdout) == (1, "")
    for name in ("a connection out, IPv4", "a connection out, IPv6", "the proxy's connection to the pod, IPv6"):
        assert f"{name}: expected the proxy's port" in done.stderr
    assert "a question, IPv4: expected the proxy's port 15053, found not the proxy" in done.stderr


def test_connections_find_a_rule_of_somebody_elses_that_comes_first(pod: Inside) -> None:
    pod.init()
    theirs = "type nat hook output priority -110; tcp dport 80 dnat ip to 10.77.0.1;"
    pod.run("nft", f"table ip theirs {{ chain out {{ {theirs}\n}}\n}}", check=True)
    done = pod.init("--prove")
    assert done.returncode == 1
    assert "a connection out, IPv4: expected the proxy's port 15001, found not the proxy" in done.stderr
    assert "IPv6" not in done.stderr


def test_nothing_is_proved_while_the_proxy_listens(pod: Inside, proa_init: tuple[str, ...], tmp_path: Path) -> None:
    program = tmp_path / "listening.py"
    program.write_text(
        "import socket, subprocess, sys\n"
        "with socket.create_server(('', 15001)):\n"
        "    sys.exit(subprocess.run(sys.argv[1:]).returncode)\n",
        encoding="utf-8",
    )
    done = pod.run(proa_init[0], str(program), *proa_init, "--prove")
    assert (done.returncode, done.stdout) == (1, "")
    assert "the proxy's ports cannot be listened at: Address already in use" in done.stderr


def test_proving_says_which_capability_it_lacks(pod: Inside, proa_init: tuple[str, ...]) -> None:
    pod.init()
    done = pod.run("setpriv", "--bounding-set=-setuid,-setgid", "--inh-caps=-all", *proa_init, "--prove")
    assert (done.returncode, done.stdout) == (1, "")
    assert "CAP_SETUID" in done.stderr
