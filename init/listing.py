"""What `nft list table` shows, compared with the script that made the table. Pure."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Final, TypeAlias

Contents: TypeAlias = "dict[str, list[str]]"
"""Lines by the heading of their block."""

_ELEMENTS: Final = "elements ="
_SPELLINGS: Final = (
    ("l4proto 6 ", "l4proto tcp "),
    ("l4proto 17 ", "l4proto udp "),
    ("l4proto != 6 ", "l4proto != tcp "),
    ("l4proto != 17 ", "l4proto != udp "),
    ("nfproto 2 ", "nfproto ipv4 "),
    ("nfproto 10 ", "nfproto ipv6 "),
    ("ct state 0x8 ", "ct state new "),
    ("ct state 0x1 ", "ct state invalid "),
    ("ct state 0x2 ", "ct state established "),
    ("ct direction 1 ", "ct direction reply "),
    ("daddr type 2 ", "daddr type local "),
    ("priority raw;", "priority -300;"),
    ("priority mangle;", "priority -150;"),
    ("priority dstnat;", "priority -100;"),
    ("priority filter;", "priority 0;"),
    ("reject with icmpx port-unreachable", "reject"),
)
"""What versions and flags of nft print differently, and one spelling for both."""


def differences(script: str, listed: str) -> tuple[str, ...]:
    """What of the table in *script* is missing or otherwise in *listed*, what `nft list table` says; empty if equal.

    Compared are chains with their hook and priority, rules in their order with verdict and comment, the sets' elements
    and the counters' names; not their values.
    """
    return changed(_contents(script), _contents(listed))


def changed(wanted: Contents, found: Contents) -> tuple[str, ...]:
    """Each line that is in one of the two and not in the other, under its heading."""
    headings = dict.fromkeys((*wanted, *found))
    return tuple(text for heading in headings for text in _changes(heading, wanted.get(heading), found.get(heading)))


def _contents(text: str) -> Contents:
    """The lines of every block in *text* by its heading; what stands in no block is left out."""
    path: list[str] = []
    blocks: Contents = {}
    for raw in text.replace("{", "{\n").replace("}", "\n}\n").splitlines():
        if path and path[-1] == _ELEMENTS and "}" not in raw:
            blocks[", ".join(path)].append(raw)  # thousands of lines, in which nothing has two spellings
            continue
        line = _plain(raw)
        if line.endswith("{"):
            path.append(line.removesuffix("{").strip())
            blocks[", ".join(path)] = []
        elif line == "}":
            path = path[:-1]
        elif path and line and not line.startswith("packets "):
            blocks[", ".join(path)].append(line)
    return {heading: _unordered(lines) if heading.endswith(_ELEMENTS) else lines for heading, lines in blocks.items()}


def _plain(line: str) -> str:
    plain = " ".join(line.replace('"', "").split())
    for printed, meant in _SPELLINGS:
        if printed in plain:
            plain = plain.replace(printed, meant)
    return plain


def _unordered(lines: list[str]) -> list[str]:
    elements = ",".join(lines).replace('"', "").split(",")
    return sorted(filter(None, map(str.strip, elements)))


def _changes(heading: str, wanted: list[str] | None, found: list[str] | None) -> Iterator[str]:
    if found is None:
        yield f"{heading}: missing"
    elif wanted is None:
        yield f"{heading}: not ours"
    elif wanted != found:
        if sorted(wanted) == sorted(found):
            yield f"{heading}: in another order"
        else:
            yield from _lines(heading, wanted, found)


def _lines(heading: str, wanted: list[str], found: list[str]) -> Iterator[str]:
    in_wanted, in_found = set(wanted), set(found)
    yield from (f"{heading}: missing {line}" for line in wanted if line not in in_found)
    yield from (f"{heading}: not ours {line}" for line in found if line not in in_wanted)
    for line in dict.fromkeys(wanted) if len(in_wanted) < len(wanted) or len(in_found) < len(found) else ():
        if 0 < found.count(line) != wanted.count(line):
            yield f"{heading}: not as often {line}"
