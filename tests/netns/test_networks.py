"""Sets of networks are filled past nft: as nft would, and with nothing in force before all of it is."""

import json
import shutil
import sys
from ipaddress import IPv6Address, ip_address, ip_network
from pathlib import Path

import pytest

from init.elements import batches
from init.listing import differences
from init.nftables import first_script, networks, script, table
from init.rules import ruleset
from proa.capture.interception import Interception
from support.broken_nft import BrokenNft
from support.places import Inside, complaints

pytestmark = pytest.mark.netns

REFUSING = Path(__file__).with_name("refusing.py")
WITHOUT_NETFILTER = Path(__file__).with_name("without_netfilter.py")
THOUSANDS = ",".join(f"10.{number >> 8}.{number & 255}.0/25" for number in range(2500))
_PAIRS = ",".join(f"10.{number >> 8}.{number & 255}.{128 - 128 * (number % 2)}/25" for number in range(1999))
TOUCHING = f"10.0.0.0/26,{_PAIRS}"
"""Two thousand networks, two whole batches: the first one's last network and the second one's first touch."""
SHAPES = (
    "10.0.0.0/8",
    "10.0.0.5,10.0.0.6,10.0.0.9",
    "0.0.0.0/9,10.0.0.0/25,10.0.0.128/26,240.0.0.0/4",
    "0.0.0.0,255.255.255.255",
    "0.0.0.0/1,128.0.0.0/1",
    "::/1,8000::/1",
    TOUCHING,
    f"{TOUCHING},255.255.255.255",
    "::/16,fd00::/17,fd00:8000::/18,fd00:c000::1,ff00::/8",
    "::ffff:0:0/96,::5:6,64:ff9b::1.2.3.4,::1:2:3,ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    f"{THOUSANDS},fd00::/8,fe80::1",
)
CIDRS = "10.0.0.0/8,fd00::/8"
FEW = f"--exclude-outbound-cidrs={CIDRS}"
RULES = ruleset(Interception(excluded_outbound_cidrs=tuple(CIDRS.split(","))))


def fed(namespace: Inside, directory: Path, text: str) -> None:
    file = directory / "script"
    file.write_text(text, encoding="utf-8")
    namespace.run("nft", "-f", str(file), check=True)


def holds(namespace: Inside, address: str) -> bool:
    """Whether the kernel finds *address* in the excluded ones of its family."""
    named = f"excluded_cidrs_{6 if ':' in address else 4}"
    return namespace.run("nft", "get", "element", "inet", "proa", named, f"{{ {address} }}").returncode == 0


def edges(cidrs: str) -> dict[str, bool]:
    """Addresses at both sides of each network's ends, and whether they are in any."""
    nets = [ip_network(text) for text in cidrs.split(",")]
    numbers = {
        (net.version, number)
        for net in (*nets[:3], *nets[-3:])
        for end in (int(net.network_address), int(net.broadcast_address))
        for number in (end - 1, end, end + 1)
        if 0 <= number < 2**net.max_prefixlen
    }
    addresses = [ip_address(number) if version == 4 else IPv6Address(number) for version, number in numbers]
    return {str(each): any(each in net for net in nets if net.version == each.version) for each in addresses}


@pytest.mark.parametrize("cidrs", SHAPES, ids=[cidrs[:40] for cidrs in SHAPES])
def test_a_set_is_as_nft_would_have_filled_it(namespace: Inside, tmp_path: Path, cidrs: str) -> None:
    done = namespace.init(f"--exclude-outbound-cidrs={cidrs}")
    assert (done.returncode, complaints(done)) == (0, "")
    ours = namespace.rules()
    assert {address: holds(namespace, address) for address in edges(cidrs)} == edges(cidrs)
    fed(namespace, tmp_path, script(ruleset(Interception(excluded_outbound_cidrs=tuple(cidrs.split(","))))))
    assert namespace.rules() == ours


@pytest.mark.parametrize("number", [1, 2])
def test_where_elements_are_refused_nothing_is_left(namespace: Inside, proa_init: tuple[str, ...], number: int) -> None:
    (batch,) = batches("proa", networks(RULES)[number - 1], 1)
    done = namespace.run(sys.executable, str(REFUSING), str(len(batch)), "1", *proa_init, FEW)
    assert (done.returncode, done.stdout, namespace.rules()) == (1, "", "")
    assert f"elements of {networks(RULES)[number - 1].name}: Cannot allocate memory" in done.stderr
    assert " ::6/128 " not in namespace.ip("-6 addr show dev lo")


def test_a_table_that_is_removed_meanwhile_is_no_reason_for_another_backend(namespace: Inside, tmp_path: Path) -> None:
    real = shutil.which("nft")
    removing = f"{real} -f {tmp_path}/asked; grep -q chain {tmp_path}/asked || echo delete table inet proa"
    broken = BrokenNft(tmp_path).feeding_through(f"{{ cat > {tmp_path}/asked; {removing}; }}")
    done = namespace.init(FEW, path=broken.path)
    assert (done.returncode, done.stdout, namespace.rules()) == (1, "", "")
    assert "were changed meanwhile, and ours were taken back" in done.stderr
    assert "modprobe" not in done.stderr


def test_where_the_rules_are_refused_the_sets_are_taken_back(namespace: Inside, tmp_path: Path) -> None:
    broken = BrokenNft(tmp_path).feeding_through("sed 's/redirect to/nonsense/'")
    done = namespace.init(FEW, path=broken.path)
    assert (done.returncode, done.stdout, namespace.rules()) == (1, "", "")
    assert "Error: syntax error" in done.stderr


def test_rules_that_another_run_put_in_meanwhile_stay(namespace: Inside, tmp_path: Path) -> None:
    other = ruleset(Interception(inbound_port=16006))
    (tmp_path / "other").write_text(script(other), encoding="utf-8")
    asked = tmp_path / "asked"
    putting_in = f"grep -q chain {asked} && {shutil.which('nft')} -f {tmp_path}/other; cat {asked}"
    broken = BrokenNft(tmp_path).feeding_through(f"{{ cat > {asked}; {putting_in}; }}")
    done = namespace.init(FEW, path=broken.path)
    assert (done.returncode, done.stdout) == (1, "")
    assert "another run" in done.stderr
    assert differences(table(other), namespace.rules()) == ()


def test_networks_of_a_run_do_not_come_into_a_set_that_another_run_has_made_meanwhile(
    namespace: Inside, tmp_path: Path
) -> None:
    other = ruleset(Interception(excluded_outbound_cidrs=("192.168.0.0/16",)))
    (tmp_path / "other").write_text(script(other), encoding="utf-8")
    asked, real = tmp_path / "asked", shutil.which("nft")
    # After the script with the sets alone, which is done by then.
    overtaking = f"if grep -q chain {asked}; then cat {asked}; else {real} -f {asked} && {real} -f {tmp_path}/other; fi"
    broken = BrokenNft(tmp_path).feeding_through(f"{{ cat > {asked}; {overtaking}; }}")
    done = namespace.init(FEW, path=broken.path)
    assert (done.returncode, done.stdout) == (1, "")
    assert "another run" in done.stderr
    assert differences(table(other), namespace.rules()) == ()


def test_a_run_that_was_killed_in_between_has_changed_nothing_and_the_next_one_does_it(
    namespace: Inside, tmp_path: Path
) -> None:
    fed(namespace, tmp_path, first_script(RULES))
    assert namespace.init(FEW, "--verify").returncode == 1
    present = namespace.run(sys.executable, "-c", "from init import kernel; print(kernel.is_present())")
    assert (present.stdout, "chain" in namespace.rules()) == ("False\n", False)
    done = namespace.init(FEW, "-o", "json")
    assert (done.returncode, json.loads(done.stdout)["action"]) == (0, "installed")
    assert differences(table(RULES), namespace.rules()) == ()


def test_what_a_killed_run_left_is_removed(namespace: Inside, tmp_path: Path) -> None:
    fed(namespace, tmp_path, first_script(RULES))
    assert namespace.init("--remove").returncode == 0
    assert namespace.rules() == ""


def test_a_kernel_without_nfnetlink_is_told_of_and_another_backend_works(
    namespace: Inside, proa_init: tuple[str, ...]
) -> None:
    done = namespace.run(sys.executable, str(WITHOUT_NETFILTER), *proa_init, FEW, "-o", "json")
    told = json.loads(done.stdout)["backend"]
    assert told["name"] == "iptables-legacy"
    assert "Unable to initialize Netlink socket: Protocol not supported" in told["reason"]
