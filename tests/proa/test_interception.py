"""An interception that cannot work, or would not mean what it says, is refused when it is made, with every reason."""

from typing import Any

import pytest

from proa import names
from proa.capture.choices import DnsTo, ExcludedUsers, Tproxied
from proa.capture.interception import Interception
from proa.capture.spans import ALL_PORTS
from proa.errors import Refused

SSH, WEB = ((22, 22),), ((80, 80), (8000, 8100))


def test_the_default_is_the_proxy_of_the_design() -> None:
    default = Interception()
    assert (default.proxy_uids, default.proxy_gids) == (((1337, 1337),), ((1337, 1337),))
    assert (default.outbound_port, default.inbound_port) == (15001, 15006)
    assert default.excluded_inbound_ports == ((names.READY_PORT,) * 2, (names.METRICS_PORT,) * 2)


@pytest.mark.parametrize(
    ("settings", "field", "found"),
    [
        ({"proxy_uids": ((0, 0),)}, "proxy_uids", "0"),
        ({"proxy_uids": ((0, 1337),)}, "proxy_uids", "'0-1337'"),
        ({"proxy_uids": ((2**32 - 1,) * 2,)}, "proxy_uids", "4294967295"),
        ({"proxy_gids": ((5, 4),)}, "proxy_gids", "'5-4'"),
        ({"proxy_gids": (), "proxy_uids": ()}, "proxy_uids", "'nothing'"),
        ({"outbound_port": 0}, "outbound_port", "0"),
        ({"inbound_port": 65536}, "inbound_port", "65536"),
        ({"inbound_port": 15001}, "inbound_port", "15001"),
        ({"dns_port": 15006}, "dns_port", "15006"),
        ({"excluded_inbound_ports": ((80, 80), (0, 0))}, "excluded_inbound_ports", "0"),
        ({"excluded_inbound_ports": ((15006, 15006),)}, "excluded_inbound_ports", "15006"),
        ({"excluded_inbound_ports": ((15000, 15002),)}, "excluded_inbound_ports", "15001"),
        ({"included_inbound_ports": SSH, "excluded_inbound_ports": SSH}, "included_inbound_ports", "'22'"),
        ({"excluded_inbound_ports": ALL_PORTS}, "included_inbound_ports", "'1-65535'"),
        ({"included_inbound_ports": WEB, "tunnel_ports": ((8000, 9000),)}, "included_inbound_ports", "'8000-8100'"),
        ({"included_outbound_ports": SSH, "excluded_outbound_ports": SSH}, "included_outbound_ports", "'22'"),
        ({"included_outbound_ports": SSH, "included_outbound_cidrs": ()}, "included_outbound_ports", "'22'"),
        ({"included_outbound_cidrs": ("10.0.0.0/33",)}, "included_outbound_cidrs", "'10.0.0.0/33'"),
        ({"excluded_outbound_cidrs": ("10.0.0.1/8",)}, "excluded_outbound_cidrs", "'10.0.0.1/8'"),
        ({"excluded_outbound_cidrs": ("10.0.0.0/255.0.0.0",)}, "excluded_outbound_cidrs", "'10.0.0.0/255.0.0.0'"),
        ({"excluded_outbound_cidrs": ("010.0.0.1",)}, "excluded_outbound_cidrs", "'010.0.0.1'"),
        ({"excluded_outbound_cidrs": ("fe80::1%eth0",)}, "excluded_outbound_cidrs", "'fe80::1%eth0'"),
        ({"excluded_outbound_cidrs": ("0.0.0.0/0",)}, "included_outbound_cidrs", "'0.0.0.0/0'"),
        (
            {"included_outbound_cidrs": ("10.1.0.0/16",), "excluded_outbound_cidrs": ("10.0.0.0/8",)},
            "included_outbound_cidrs",
            "'10.1.0.0/16'",
        ),
        ({"included_outbound_cidrs": ("fd00::/8",), "ipv6": "drop"}, "included_outbound_cidrs", "'fd00::/8'"),
        ({"loopback": "10.0.0.0/8"}, "loopback", "'10.0.0.0/8'"),
        ({"excluded_interfaces": ("lo",)}, "excluded_interfaces", "'lo'"),
        ({"excluded_interfaces": ("a-name-that-is-long",)}, "excluded_interfaces", "'a-name-that-is-long'"),
        ({"excluded_interfaces": ('e"; drop',)}, "excluded_interfaces", "'e\"; drop'"),
        ({"excluded_interfaces": ("eth1",), "virtual_interfaces": ("eth1",)}, "virtual_interfaces", "'eth1'"),
        ({"excluded_users": (ExcludedUsers(((1337, 1337),)),)}, "excluded_users", "'1337'"),
        ({"excluded_users": (ExcludedUsers((), SSH),)}, "excluded_users", "'nothing'"),
        ({"excluded_users": (ExcludedUsers(((5, 5),), ((0, 5),)),)}, "excluded_users", "'0-5'"),
        ({"excluded_gids": ((1337, 1337),)}, "excluded_gids", "'1337'"),
        ({"included_gids": ((5, 5),), "excluded_gids": ((0, 9),)}, "included_gids", "'5'"),
        ({"dns": DnsTo(())}, "dns", "'nothing'"),
        ({"dns": DnsTo(("10.0.0.0/8",))}, "dns", "'10.0.0.0/8'"),
        ({"dns": DnsTo(("127.0.0.53", "10.0.0.10"))}, "dns", "'127.0.0.53,10.0.0.10'"),
        ({"dns": DnsTo(("10.0.0.10",)), "excluded_outbound_ports": ((50, 60),)}, "dns", "'port 53'"),
        ({"udp": "maybe"}, "udp", "'maybe'"),
        ({"ipv4": "drop", "ipv6": "bypass"}, "ipv4", "'drop, as ipv6'"),
        ({"ipv4": "bypass", "ipv6": "bypass"}, "ipv4", "'bypass, as ipv6'"),
        ({"log_rate": 1001}, "log_rate", "1001"),
        ({"inbound_mode": Tproxied(0, 133)}, "inbound_mode", "'mark 0'"),
        ({"inbound_mode": Tproxied(1337, 254)}, "inbound_mode", "'table 254'"),
    ],
)
def test_what_cannot_work_or_means_nothing_is_refused_by_name(settings: dict[str, Any], field: str, found: str) -> None:
    with pytest.raises(Refused) as refused:
        Interception(**settings)
    assert (field, found) in [(problem.field, problem.found) for problem in refused.value.problems]


def test_all_problems_are_named_at_once() -> None:
    with pytest.raises(Refused) as refused:
        Interception(
            proxy_uids=((0, 0),),
            proxy_gids=((0, 0),),
            outbound_port=0,
            inbound_port=0,
            excluded_inbound_ports=((70000, 70000),),
            excluded_outbound_cidrs=("a",),
            excluded_interfaces=("lo",),
        )
    assert [problem.field for problem in refused.value.problems] == [
        "proxy_uids",
        "proxy_gids",
        "outbound_port",
        "inbound_port",
        "excluded_inbound_ports",
        "excluded_outbound_cidrs",
        "excluded_interfaces",
    ]


def test_a_network_with_bits_behind_its_prefix_is_told_the_network_that_was_meant() -> None:
    with pytest.raises(Refused, match=r"allowed: 10\.0\.0\.0/8, or one address"):
        Interception(excluded_outbound_cidrs=("10.1.2.3/8",))


def test_an_exclusion_beside_a_list_is_no_contradiction() -> None:
    assert Interception(included_inbound_ports=WEB).excluded_inbound_ports


@pytest.mark.parametrize("port", [1, 65535])
def test_the_first_and_the_last_port_are_ports(port: int) -> None:
    assert Interception(outbound_port=port, excluded_inbound_ports=()).outbound_port == port
