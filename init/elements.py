"""Networks as elements of a set of nftables, in the messages that put them there. Pure.

Written out for thousands: nft takes as long to read them in a script as the kernel to have them.
"""

from __future__ import annotations

from init.netlink import ACK, CREATE, NESTED, REQUEST, attribute, attributes, message
from proa.capture.networks import network

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Final

    from init.netlink import Answer
    from init.ruleset import NetworkSet

# linux/netfilter/nfnetlink.h, linux/netfilter.h.
_BEGIN, _END = 16, 17
_NFTABLES, _INET = 10, 1
_IN_GENERATION: Final = 1
"""NFNL_BATCH_GENID, Linux 4.16."""
_NEW_ELEMENTS: Final = _NFTABLES << 8 | 12
_NEW_GENERATION, _GET_GENERATION = _NFTABLES << 8 | 15, _NFTABLES << 8 | 16
_ID: Final = 1
"""NFTA_GEN_ID."""
_GENERIC: Final = 4
"""Bytes of struct nfgenmsg."""
# linux/netfilter/nf_tables.h: NFTA_SET_ELEM_LIST_*, NFTA_LIST_ELEM, NFTA_SET_ELEM_*, NFTA_DATA_VALUE.
_TABLE, _SET, _ELEMENTS, _ELEMENT, _KEY, _FLAGS, _VALUE = 1, 2, 3, 1, 1, 3, 1
_INTERVAL_END: Final = (1).to_bytes(4, "big")
_AT_ONCE: Final = 1000
"""Networks in a message: all of its elements are one attribute, which is shorter than 64 KiB."""


def question() -> bytes:
    """How many transactions of nftables this network namespace has had."""
    return message(_GET_GENERATION, REQUEST | ACK, _header(0, 0))


def generation_of(answers: tuple[Answer, ...]) -> int:
    """What the kernel says to `question`; 0 where it has no nftables."""
    told = (dict(attributes(each.payload[_GENERIC:])) for each in answers if each.kind == _NEW_GENERATION)
    return next((int.from_bytes(each[_ID], "big") for each in told), 0)


def batches(table: str, named: NetworkSet, generation: int) -> Iterator[bytes]:
    """Each a transaction that the kernel answers. Before the last one the set has but a part of its networks.

    The first is refused with ERESTART unless *generation* is the namespace's; each of them makes the next one.
    """
    elements = _elements(named)
    for number, start in enumerate(range(0, len(elements), _AT_ONCE)):
        names = attribute(_TABLE, table.encode() + b"\0") + attribute(_SET, named.name.encode() + b"\0")
        some = attribute(_ELEMENTS | NESTED, b"".join(elements[start : start + _AT_ONCE]))
        added = message(_NEW_ELEMENTS, REQUEST | ACK | CREATE, _header(_INET, 0) + names + some)
        begun = _header(0, _NFTABLES) + attribute(_IN_GENERATION, (generation + number).to_bytes(4, "big"))
        yield message(_BEGIN, REQUEST, begun) + added + message(_END, REQUEST, _header(0, _NFTABLES))


def _elements(named: NetworkSet) -> list[bytes]:
    """Of each network the first address, and the one behind its last, if there is one: as nft puts intervals."""
    size = 4 if named.family == 4 else 16
    begin, end = _element(size, b""), _element(size, attribute(_FLAGS, _INTERVAL_END))
    past = 1 << 8 * size
    found: list[bytes] = []
    for text in named.networks:
        _, first, last = network(text)
        behind = end + (last + 1).to_bytes(size, "big") if last + 1 < past else b""
        found.append(begin + first.to_bytes(size, "big") + behind)
    if found and not found[0].startswith(begin + bytes(size)):
        found[0] = end + bytes(size) + found[0]  # what comes before the first network is in none
    return found


def _element(size: int, flags: bytes) -> bytes:
    """All of it but its address, which comes last and has *size* bytes."""
    return attribute(_ELEMENT | NESTED, flags + attribute(_KEY | NESTED, attribute(_VALUE, bytes(size))))[:-size]


def _header(family: int, resource: int) -> bytes:
    """struct nfgenmsg."""
    return bytes((family, 0)) + resource.to_bytes(2, "big")
