"""The name servers of resolv.conf(5), whatever else stands there."""

from init.nameservers import servers

FILE = """# made by the kubelet
search shop.svc.cluster.local svc.cluster.local
nameserver 10.96.0.10
nameserver   fe80::1%eth0  # link-local
 nameserver\tfd00::a
nameserver
options ndots:5
"""


def test_the_addresses_are_read_in_their_order_without_zones() -> None:
    assert servers(FILE) == ("10.96.0.10", "fe80::1", "fd00::a")


def test_an_empty_file_names_none() -> None:
    assert servers("") == ()
