"""IPv4 and IPv6 networks in CIDR notation, as spans of addresses. Pure.

`ipaddress` is imported for what is wrong only: thousands are read in the start of a pod.
"""

from __future__ import annotations

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
_OCTETS: Final = {str(octet): octet for octet in range(256)}
"""By their one spelling: a leading zero is read as octal by others."""
_BEHIND: Final = {str(bits): (1 << (32 - bits)) - 1 for bits in range(33)}
_BEHIND_IPV6: Final = {str(bits): (1 << (128 - bits)) - 1 for bits in range(129)}
"""The bits behind a prefix, by its length."""


def network(text: str) -> Network:
    """A network such as `10.0.0.0/8`, or one address. Raises ValueError, also where bits stand behind the prefix."""
    found = _KNOWN.get(text)
    if found is None:
        found = (_ipv6(text) if ":" in text else _ipv4(text)) or _any(text)
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
    collapsed = _collapsed((first, -negative, text) for first, negative, text in spans)
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
    """Networks by their first and their last address, ascending and the larger one first; without a text if joined.

    What lies in another one is left out, and two halves of a network become that one.
    """
    kept: list[tuple[int, int, str]] = []
    end = -2
    for first, last, text in spans:
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
    bits = (32 if family == 4 else 128) - (last - first).bit_length()
    if family == 4:
        address = ".".join(map(str, first.to_bytes(4, "big")))
        return address if bits == 32 else f"{address}/{bits}"
    from _socket import AF_INET6, inet_ntop  # noqa: PLC0415 - most pods name no network; no socket is opened

    # As nft and iptables spell it, and ipaddress does not: ::ffff:0:0 is ::ffff:0.0.0.0 there.
    address = inet_ntop(AF_INET6, first.to_bytes(16, "big"))
    return address if bits == 128 else f"{address}/{bits}"


def _ipv4(text: str) -> Network | None:
    """A plain IPv4 network; nothing if *text* is another or none."""
    address, slash, prefix = text.partition("/")
    try:
        a, b, c, d = map(_OCTETS.__getitem__, address.split("."))
        behind = _BEHIND[prefix] if slash else 0
    except (KeyError, ValueError):
        return None
    first = a << 24 | b << 16 | c << 8 | d
    return None if first & behind else (4, first, first | behind)


def _ipv6(text: str) -> Network | None:
    """A plain IPv6 network; nothing if *text* is another or none."""
    from _socket import AF_INET6, inet_pton  # noqa: PLC0415 - most pods name no network; no socket is opened

    address, slash, prefix = text.partition("/")
    try:
        first = int.from_bytes(inet_pton(AF_INET6, address), "big")
        behind = _BEHIND_IPV6[prefix] if slash else 0
    except (KeyError, OSError, ValueError):
        return None
    return None if first & behind else (6, first, first | behind)


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
