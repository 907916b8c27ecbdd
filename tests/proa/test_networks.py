"""Networks mean what the standard library says they mean."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, collapse_addresses, ip_network
from socket import AF_INET6, inet_ntop

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa.capture.networks import minimal, network, overlaps, within

bits = st.integers(0, 32)
ipv4 = st.builds(lambda address, prefix: IPv4Network((address, prefix), strict=False), st.integers(0, 2**32 - 1), bits)
few_ipv4 = st.builds(
    lambda a, prefix: IPv4Network((a << 28, prefix), strict=False), st.integers(0, 15), st.integers(0, 8)
)
few_ipv6 = st.builds(
    lambda a, prefix: IPv6Network((a << 124, prefix), strict=False), st.integers(0, 15), st.integers(0, 8)
)
ipv6 = st.builds(
    lambda address, prefix: IPv6Network((address, prefix), strict=False),
    st.integers(0, 2**128 - 1),
    st.integers(0, 128),
)


@given(ipv4 | ipv6)
def test_a_network_is_its_first_and_its_last_address(given_network: IPv4Network | IPv6Network) -> None:
    ends = int(given_network.network_address), int(given_network.broadcast_address)
    assert network(str(given_network)) == (given_network.version, *ends)
    assert network(given_network.exploded.upper()) == (given_network.version, *ends)


@given(few_ipv4, few_ipv4)
def test_networks_overlap_and_lie_within_as_in_the_standard_library(one: IPv4Network, other: IPv4Network) -> None:
    assert overlaps(str(one), str(other)) is one.overlaps(other)
    assert within(str(one), (str(other), "::/0")) is one.subnet_of(other)


@given(st.lists(few_ipv4))
def test_the_fewest_networks_hold_the_same_addresses(networks: list[IPv4Network]) -> None:
    found = [ip_network(text) for text in minimal((*map(str, networks), "fd00::/8"), 4)]
    assert found == list(collapse_addresses(networks))


@given(st.lists(few_ipv6))
def test_of_ipv6_as_well(networks: list[IPv6Network]) -> None:
    assert minimal((*map(str, networks), "10.0.0.0/8"), 6) == tuple(
        str(each).removesuffix("/128") for each in collapse_addresses(networks)
    )


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**128 - 1))
def test_one_address_is_spelled_without_a_prefix(four: int, six: int) -> None:
    addresses = (str(IPv4Address(four)), str(IPv6Address(six)))
    assert minimal(addresses, 4) == (addresses[0],)
    assert minimal(addresses, 6) == (inet_ntop(AF_INET6, six.to_bytes(16)),)


@given(st.text(alphabet="0123456789./:a", max_size=20))
def test_any_text_is_a_network_of_the_standard_library_or_refused(text: str) -> None:
    try:
        family, first, last = network(text)
    except ValueError:
        return
    known = ip_network(text)
    assert (family, first, last) == (known.version, int(known.network_address), int(known.broadcast_address))


@pytest.mark.parametrize("text", ["", "10.0.0.0/", "10.0.0/8", "10.0.0.256", "10.0.0.1/31", "::1/64", "1.2.3.4/024"])
def test_what_is_no_network_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the standard library's words
        network(text)
