"""The messages that fill a set, read by somebody else's decoder."""

from collections.abc import Iterator, Sequence
from ipaddress import IPv4Network, IPv6Network, collapse_addresses
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from pyroute2.netlink.nfnetlink.nftsocket import nft_set_elem_list_msg

from init.elements import batches
from init.netlink import answers, attributes
from init.ruleset import NetworkSet

BATCH_BEGIN, BATCH_END, NEW_ELEMENTS = 16, 17, 10 << 8 | 12
INET, INTERVAL_END = 1, 1
BATCH_GENERATION, GENERATION = 1, 0xFFFE
few_ipv4 = st.builds(
    lambda a, prefix: IPv4Network((a << 28, prefix), strict=False), st.integers(0, 15), st.integers(0, 8)
)
few_ipv6 = st.builds(
    lambda a, prefix: IPv6Network((a << 124, prefix), strict=False), st.integers(0, 15), st.integers(0, 8)
)
THOUSANDS = (
    [IPv4Network((10 << 24 | number << 8, 25)) for number in range(5000)],
    [IPv6Network((0xFD << 120 | number << 64, 65)) for number in range(5000)],
)


def filled(networks: Sequence[IPv4Network | IPv6Network]) -> tuple[NetworkSet, list[IPv4Network | IPv6Network]]:
    """A set with these networks, none in another, and what it then has."""
    least = list(collapse_addresses(networks))  # type: ignore[type-var]  # all are of one family
    family = least[0].version if least else 4
    return NetworkSet(f"excluded_cidrs_{family}", family, tuple(map(str, least))), least


def elements(named: NetworkSet) -> Iterator[list[tuple[int, bool]]]:
    """Of each batch the addresses that are put in, and whether an interval ends before them."""
    for number, batch in enumerate(batches("proa", named, GENERATION)):
        begin, added, end = answers(batch)
        assert (begin.kind, added.kind, end.kind) == (BATCH_BEGIN, NEW_ELEMENTS, BATCH_END)
        assert begin.payload[:4] == end.payload == b"\0\0\0\n"
        assert list(attributes(begin.payload[4:])) == [(BATCH_GENERATION, (GENERATION + number).to_bytes(4, "big"))]
        found: Any = nft_set_elem_list_msg(batch[28:-20])
        found.decode()
        assert (found["header"]["length"], found["nfgen_family"]) == (len(batch) - 48, INET)
        assert found.get_attr("NFTA_SET_ELEM_LIST_TABLE") == "proa"
        assert found.get_attr("NFTA_SET_ELEM_LIST_SET") == named.name
        yield [
            (
                int.from_bytes(each.get_attr("NFTA_SET_ELEM_KEY").get_attr("NFTA_DATA_VALUE"), "big"),
                INTERVAL_END in (each.get_attr("NFTA_SET_ELEM_FLAGS") or ()),
            )
            for each in found.get_attr("NFTA_SET_ELEM_LIST_ELEMENTS")
        ]


def spans(bounds: list[tuple[int, bool]], last: int) -> Iterator[tuple[int, int]]:
    """Of each interval the first and the last address; one that does not end has all addresses up to the *last*."""
    begun = None
    for address, ends in bounds:
        if ends and begun is not None:
            yield begun, address - 1
        begun = None if ends else address
    if begun is not None:
        yield begun, last


@given(st.lists(few_ipv4) | st.lists(few_ipv6))
def test_the_intervals_are_the_networks(networks: list[IPv4Network | IPv6Network]) -> None:
    named, least = filled(networks)
    bounds = [bound for batch in elements(named) for bound in batch]
    assert list(spans(bounds, 2 ** (128 if named.family == 6 else 32) - 1)) == [
        (int(each.network_address), int(each.broadcast_address)) for each in least
    ]
    assert not bounds or bounds[0] == (0, int(least[0].network_address) > 0)


def test_thousands_go_by_batches_each_of_whole_networks() -> None:
    for networks in THOUSANDS:
        named, least = filled(networks)
        found = [list(spans(batch, -1)) for batch in elements(named)]
        assert len(found) == 5
        assert [first for batch in found for first, _ in batch] == [int(each.network_address) for each in least]
        assert all(first < last for batch in found for first, last in batch)


def test_no_networks_are_no_message() -> None:
    assert list(batches("proa", NetworkSet("excluded_cidrs_4", 4, ()), GENERATION)) == []
