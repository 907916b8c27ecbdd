"""proa-init against the kernel: all or nothing, repeatable, reversible, with one capability."""

import json
import sys
from pathlib import Path

import pytest

from init.listing import differences
from init.nftables import table
from init.rtnetlink import ADD, NEW_RULE, rule
from init.rules import ruleset
from proa.capture.choices import Tproxied
from proa.capture.interception import Interception
from support.broken_nft import BrokenNft
from support.places import Inside, complaints

pytestmark = pytest.mark.netns

REFUSING = Path(__file__).with_name("refusing.py")
FOREIGN = "table ip foreign { chain out { type filter hook output priority 0; policy accept; tcp dport 25 drop; }; }"


@pytest.fixture
def broken_nft(tmp_path: Path) -> BrokenNft:
    return BrokenNft(tmp_path)


def hairpin(namespace: Inside) -> bool:
    return " ::6/128 " in namespace.ip("-6 addr show dev lo")


def test_the_kernel_holds_what_was_asked_for(namespace: Inside) -> None:
    done = namespace.init("-o", "json")
    assert (done.returncode, complaints(done)) == (0, "")
    assert json.loads(done.stdout)["ipv6_hairpin"] == {"address": "::6"}
    assert differences(table(ruleset(Interception())), namespace.rules()) == ()
    assert hairpin(namespace)


def test_a_second_run_changes_nothing(namespace: Inside) -> None:
    namespace.init()
    once = namespace.rules()
    done = namespace.init()
    assert (done.returncode, complaints(done)) == (0, "")
    assert namespace.rules() == once


def test_another_configuration_takes_the_whole_place_of_the_former(namespace: Inside) -> None:
    namespace.init()
    namespace.run("nft", "add", "chain", "inet", "proa", "stale", check=True)
    done = namespace.init("--inbound-port=16006", "--proxy-uid=2000", "--exclude-inbound-ports=")
    assert done.returncode == 0
    other = Interception(inbound_port=16006, proxy_uids=((2000, 2000),), excluded_inbound_ports=())
    assert differences(table(ruleset(other)), namespace.rules()) == ()


def test_a_failing_transaction_leaves_the_former_table(namespace: Inside, broken_nft: BrokenNft) -> None:
    namespace.init()
    former = namespace.rules()
    broken_nft.feeding_through("{ cat; echo add rule inet proa nowhere accept; }")
    done = namespace.init("--inbound-port=16006", path=broken_nft.path)
    assert (done.returncode, done.stdout) == (1, "")
    assert "Error" in done.stderr
    assert namespace.rules() == former
    assert hairpin(namespace)


def test_a_failing_first_transaction_leaves_nothing(namespace: Inside, broken_nft: BrokenNft) -> None:
    broken_nft.feeding_through("{ cat; echo add nonsense; }")
    assert namespace.init(path=broken_nft.path).returncode == 1
    assert namespace.rules() == ""
    assert not hairpin(namespace)


def test_a_rule_that_got_lost_on_the_way_is_missed_when_the_table_is_read_back(
    namespace: Inside, broken_nft: BrokenNft
) -> None:
    broken_nft.feeding_through("grep -v 'meta skgid '")
    done = namespace.init(path=broken_nft.path)
    assert (done.returncode, done.stdout) == (1, "")
    assert "table inet proa, chain outbound: missing meta skgid 1337 goto proxy" in done.stderr


def test_removal_leaves_no_trace_of_ours_and_all_of_others(namespace: Inside) -> None:
    namespace.run("nft", FOREIGN, check=True)
    foreign = namespace.rules()
    namespace.init()
    assert foreign in namespace.rules()
    done = namespace.init("--remove")
    assert done.returncode == 0
    assert namespace.rules() == foreign
    assert not hairpin(namespace)


def test_removing_nothing_is_no_error(namespace: Inside) -> None:
    done = namespace.init("--remove", "-o", "json")
    assert (done.returncode, json.loads(done.stdout)) == (0, {"action": "removed", "table": "proa"})
    assert "proa" not in namespace.rules().lower()


def test_a_dry_run_touches_nothing(namespace: Inside) -> None:
    assert namespace.init("--dry-run").returncode == 0
    assert namespace.rules() == ""
    assert not hairpin(namespace)


def test_net_admin_is_the_only_capability_it_takes(namespace: Inside, proa_init: tuple[str, ...]) -> None:
    done = namespace.run("setpriv", "--bounding-set=-all,+net_admin", "--inh-caps=-all", *proa_init)
    assert (done.returncode, complaints(done)) == (0, "")
    assert hairpin(namespace)


def test_without_net_admin_it_says_what_it_takes_and_changes_nothing(
    namespace: Inside, proa_init: tuple[str, ...]
) -> None:
    done = namespace.run("setpriv", "--bounding-set=-net_admin", "--inh-caps=-all", *proa_init)
    assert (done.returncode, done.stdout) == (1, "")
    assert "Operation not permitted" in done.stderr
    assert "CAP_NET_ADMIN" in done.stderr
    assert namespace.rules() == ""


def test_where_routes_are_refused_nothing_is_left(namespace: Inside) -> None:
    namespace.ip("link set lo down")
    done = namespace.init("--inbound-mode=tproxy")
    assert (done.returncode, done.stdout, namespace.rules()) == (1, "", "")
    assert "policy routing: Network is down" in done.stderr
    assert not hairpin(namespace)


@pytest.mark.parametrize("number", [1, 2])
def test_where_a_rule_is_refused_after_its_route_was_made_nothing_is_left(
    namespace: Inside, proa_init: tuple[str, ...], number: int
) -> None:
    length = len(rule(NEW_RULE, ADD, 2, Tproxied()))
    refusing = (sys.executable, str(REFUSING), str(length), str(number))
    done = namespace.run(*refusing, *proa_init, "--inbound-mode=tproxy")
    assert (done.returncode, done.stdout, namespace.rules()) == (1, "", "")
    assert "policy routing: Cannot allocate memory" in done.stderr
    assert not hairpin(namespace)
    for family in ("-4", "-6"):
        assert namespace.ip(f"{family} route show table all proto 137") == ""
        assert "fwmark" not in namespace.ip(f"{family} rule show")


def test_without_nft_it_says_what_to_install_and_changes_nothing(namespace: Inside) -> None:
    done = namespace.init(path="/nonexistent:")
    assert (done.returncode, done.stdout) == (1, "")
    assert "nft cannot be run: No such file or directory" in done.stderr
    assert "install nftables" in done.stderr
    assert not hairpin(namespace)


def test_ipv6_switched_off_on_lo_is_said_and_no_error(namespace: Inside) -> None:
    namespace.run("sysctl", "-qw", "net.ipv6.conf.lo.disable_ipv6=1", check=True)
    done = namespace.init("-o", "json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["ipv6_hairpin"] == {"address": None, "reason": "Permission denied"}
    assert namespace.init("--remove").returncode == 0
