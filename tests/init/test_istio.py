"""What asks istio-iptables for something gets the same of proa-init."""

import pytest

from init.flags import Install, Prove, Remove, Request, request
from init.istio import FLAGS, translated
from proa.capture.choices import AllDns, DnsTo, Tproxied
from proa.capture.interception import Interception
from proa.capture.networks import EVERYWHERE
from proa.errors import Refused

INJECTED = "-p 15001 -z 15006 -u 1337 -m REDIRECT -i * -x  -b * -d 15090,15021,15020 --log_output_level=default:info"
"""The arguments of the init container in a pod of Istio's, as its template writes them."""


def asked(line: str, **environment: str) -> Request:
    words = translated(["istio-iptables", *line.split(" ")] if line else [], environment)
    found = request(words, lambda: ("10.96.0.10",))
    assert isinstance(found, Request)
    return found


def wanted(line: str, **environment: str) -> Interception:
    action = asked(line, **environment).action
    assert isinstance(action, Install)
    return action.interception


def test_an_injected_pod_of_istios() -> None:
    assert wanted(INJECTED) == Interception(
        excluded_inbound_ports=((15090, 15090), (15021, 15021), (15020, 15020)),
        tunnel_ports=((15008, 15008),),
        loopback="127.0.0.1/32",
    )


def test_without_anything_nothing_is_captured() -> None:
    found = wanted("")
    assert (found.included_inbound_ports, found.included_outbound_cidrs) == ((), ())


@pytest.mark.parametrize(
    ("line", "field", "value"),
    [
        ("-m TPROXY -t 5 -r 6", "inbound_mode", Tproxied(5, 6)),
        ("-u 5", "proxy_gids", ((5, 5),)),
        ("-u 5 -g 6", "proxy_gids", ((6, 6),)),
        ("-p15011", "outbound_port", 15011),
        ("-p=15011", "outbound_port", 15011),
        ("--envoy-port=15011", "outbound_port", 15011),
        ("-e 15009", "tunnel_ports", ((15009, 15009),)),
        ("-i 10.1.2.3/8,fd00::/8", "included_outbound_cidrs", ("10.0.0.0/8", "fd00::/8")),
        ("-i 10.0.0.0/8 -q 443", "outbound_ports_anywhere", ((443, 443),)),
        ("-i * -q 443", "included_outbound_cidrs", EVERYWHERE),
        ("-i * -q 443", "outbound_ports_anywhere", ()),
        ("-i * -x 10.0.0.0/8", "excluded_outbound_cidrs", ("10.0.0.0/8",)),
        ("-o 22", "excluded_outbound_ports", ((22, 22),)),
        ("-c eth1", "excluded_interfaces", ("eth1",)),
        ("-k k6t0", "virtual_interfaces", ("k6t0",)),
        ("--redirect-dns", "dns", DnsTo(("10.96.0.10",))),
        ("--redirect-dns=true --capture-all-dns", "dns", AllDns()),
        ("--drop-invalid", "drop_invalid", True),
    ],
)
def test_each_flag_means_what_it_means_there(line: str, field: str, value: object) -> None:
    assert getattr(wanted(line), field) == value


def test_the_environment_is_read_where_no_flag_is_given() -> None:
    environment = {"ISTIO_SERVICE_CIDR": "10.0.0.0/8", "ENVOY_PORT": "15011", "ISTIO_META_DNS_CAPTURE": "true"}
    found = wanted("-p 15001", **environment, ISTIO_OUTBOUND_OWNER_GROUPS_EXCLUDE="888", ISTIO_INBOUND_PORTS="")
    assert (found.included_outbound_cidrs, found.outbound_port) == (("10.0.0.0/8",), 15001)
    assert (found.dns, found.excluded_gids) == (DnsTo(("10.96.0.10",)), ((888, 888),))


def test_what_is_to_be_done_is_done() -> None:
    assert asked("--cleanup-only").action == Remove()
    assert asked("-n").dry_run
    assert isinstance(asked("--skip-rule-apply --run-validation").action, Prove)
    assert asked("--native-nftables").backend == "nftables"
    assert asked("--force-iptables-binary legacy").backend == "iptables-legacy"


def test_an_excluded_port_beside_a_list_is_excluded_and_a_listed_one_is_refused() -> None:
    assert wanted("-b 8080 -d 15090").excluded_inbound_ports == ((15090, 15090),)
    with pytest.raises(Refused, match="--include-inbound-ports: found '8080'"):
        wanted("-b 8080 -d 8080")


@pytest.mark.parametrize(
    ("line", "field", "found"),
    [
        ("--cni-mode", "argument", "'--cni-mode'"),
        ("x", "argument", "'x'"),
        ("-y 5", "argument", "'-y'"),
        ("--envoy-port", "--envoy-port", "nothing"),
        ("-x *", "--include-outbound-cidrs", "'0.0.0.0/0'"),
        ("-p http", "--outbound-port", "'http'"),
    ],
)
def test_what_means_nothing_is_refused(line: str, field: str, found: str) -> None:
    with pytest.raises(Refused) as refused:
        asked(f"-i * {line}" if line.startswith("-x") else line)
    assert (field, found) in [(problem.field, problem.found) for problem in refused.value.problems]


def test_no_two_flags_have_one_short_name() -> None:
    short = [known.short for known in FLAGS.values() if known.short]
    assert len(short) == len(set(short))
