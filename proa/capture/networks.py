"""IPv4 and IPv6 networks in CIDR notation, as spans of addresses. Pure.

`ipaddress` is imported for what is wrong only: thousands are read in the start of a pod.
"""

from __future__ import annotations

from _socket import AF_INET, AF_INET6, inet_ntop, inet_pton  # that read and spell; no socket is opened

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Final, TypeAlias

    from proa.capture.spans import Span

Network: TypeAlias = "tuple[int, int, int]"
"""The family, 4 or 6; the first and the last address, as numbers."""

EVERYWHERE: Final = ("0.0.0.0/0", "::/0")
"""All addresses of both families."""
_KNOWN: Final[dict[str, Network]] = {"::/0": (6, 0, 2**128 - 1), "::1": (6, 1, 1)}
"""What was read already, so that each check need not read it again; at first what is asked about in every pod."""
_MOST: Final = 20_000
_IPV4, _MAPPED = 0xFFFFFFFF, 0xFFFF
"""The bits of an IPv4 address, and what stands before them where it is written as IPv6's."""
_BEHIND: Final = {
    family: {str(length): (1 << (bits - length)) - 1 for length in range(bits + 1)}
    for family, bits in ((4, 32), (6, 128))
}
"""The bits behind a prefix, by the family and the prefix' length."""


def network(text: str) -> Network:
    """A network such as `10.0.0.0/8`, or one address. Raises ValueError, also where bits stand behind the prefix."""
    found = _KNOWN.get(text)
    if found is None:
        found = _plain(text) or _any(text)
        if len(_KNOWN) < _MOST:
            _KNOWN[text] = found
    return found


def family_of(text: str) -> int:
    """4 or 6, of an address or network that is one."""
    return 6 if ":" in text else 4


def within(text: str, others: Iterable[str]) -> bool:
    """Whether all of network *text* is in one of *others*, all of them valid."""
    family, first, last = network(text)
    return any(other == family and start <= first and last <= end for other, start, end in map(network, others))


def overlaps(text: str, other: str) -> bool:
    """Whether the two networks have an address in common."""
    family, first, last = network(text)
    others, start, end = network(other)
    return family == others and first <= end and start <= last


def minimal(cidrs: Iterable[str], family: int) -> tuple[str, ...]:
    """The addresses of *family* in as few networks as can be, in ascending order, spelled as nft does."""
    spans = sorted(
        (first, -last, text) for text in cidrs if family_of(text) == family for _, first, last in (network(text),)
    )
    collapsed = _collapsed(spans)
    # Of IPv4 there is one way to spell a network, but for the prefix of a single address.
    return tuple(
        text.removesuffix("/32") if family == 4 and text else _spelled((first, last), family)
        for first, last, text in collapsed
    )


def first_address(text: str) -> str:
    """Of a network, the address it begins with."""
    family, first, _ = network(text)
    return _spelled((first, first), family)


def unmapped(address: str) -> str:
    """As packets bear it: what is written `::ffff:10.0.0.5` (RFC 4291, 2.5.5.2) is dialled by IPv4."""
    family, first, _ = network(address)
    return _spelled((first & _IPV4, first & _IPV4), 4) if family == 6 and first >> 32 == _MAPPED else address


def without_host_bits(texts: str) -> str:
    """Networks with commas between, as Istio reads them: bits behind a prefix mean nothing. What is none stays."""
    return ",".join(map(_masked, texts.split(","))) if "/" in texts else texts


def _masked(text: str) -> str:
    from ipaddress import ip_network  # noqa: PLC0415 - most pods name no network

    try:
        return str(ip_network(text, strict=False))
    except ValueError:
        return text


def _collapsed(spans: Iterable[tuple[int, int, str]]) -> list[tuple[int, int, str]]:
    """Networks by their first and their last address, without a text if joined.

    *spans* are sorted by the last one's negative: of two that begin alike, the larger comes first. What lies in another
    one is left out, and two halves of a network become that one.
    """
    kept: list[tuple[int, int, str]] = []
    end = -2
    for first, negative, text in spans:
        last = -negative
        if last > end:
            kept.append((first, last, text))
            if first == end + 1:
                _join_halves(kept)
            end = last
    return kept


def _join_halves(kept: list[tuple[int, int, str]]) -> None:
    """The last ones, as long as two of them are the halves of a network."""
    while len(kept) > 1:
        (lower, middle, _), (upper, last, _) = kept[-2:]
        size = last - upper + 1
        if (middle + 1, upper - lower) != (upper, size) or lower & (2 * size - 1):
            return
        kept[-2:] = [(lower, last, "")]


def _spelled(span: Span, family: int) -> str:
    first, last = span
    bits, kind = (32, AF_INET) if family == 4 else (128, AF_INET6)
    # As nft and iptables have it; ipaddress spells ::ffff:0.0.0.0 otherwise.
    address = inet_ntop(kind, first.to_bytes(bits // 8, "big"))
    return address if last == first else f"{address}/{bits - (last - first).bit_length()}"


def _plain(text: str) -> Network | None:
    """As it is usually spelled; nothing if *text* is otherwise, or no network."""
    family, kind = (6, AF_INET6) if ":" in text else (4, AF_INET)
    address, slash, prefix = text.partition("/")
    try:
        first = int.from_bytes(inet_pton(kind, address), "big")
        behind = _BEHIND[family][prefix] if slash else 0
    except (KeyError, OSError, ValueError):
        return None
    return None if first & behind else (family, first, first | behind)


def _is_octet(text: str) -> bool:
    """Decimal without a leading zero."""
    return text.isascii() and text.isdigit() and len(text) <= 3 and int(text) <= 255 and text == str(int(text))


def _any(text: str) -> Network:
    from ipaddress import ip_network  # noqa: PLC0415 - most pods name no network

    if "%" in text:
        raise ValueError("an address with a zone is of one interface")
    address, slash, prefix = text.partition("/")
    if slash and not _is_octet(prefix):
        raise ValueError(f"{address} without a prefix length")
    found = ip_network(text)
    return found.version, int(found.network_address), int(found.broadcast_address)
