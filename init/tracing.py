"""The kernel's own account of one packet (`nft monitor trace`): how it is asked for, and read. Pure.

A table of its own marks the first packet of the connection, before any rule of ours or of others; for that packet the
kernel tells every rule that matches, in every table.
"""

from __future__ import annotations

from init.fate import Captured
from init.matches import ToNetwork, ToPort
from init.nftables import removal, words
from init.rules import TABLE
from init.verdicts import Log
from proa.capture.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Final

    from init.fate import First
    from init.walking import Way

MARKING: Final = "proa_trace"
_BEFORE: Final = -301
"""Its priority: before `raw`, where our first chains are."""
_OURS: Final = f"inet {TABLE}"
_SYN: Final = "tcp flags & (syn | ack) == syn"


class Told(Value):
    """A rule that matched, in the kernel's words: *why* is its comment, or the rule itself where it has none."""

    table: str
    chain: str
    why: str
    verdict: str


def marking(first: First) -> str:
    """One transaction after which packets like *first* are traced."""
    point = "output" if first.sender else "prerouting"
    lines = (
        f"table inet {MARKING} {{",
        "chain first {",
        f"type filter hook {point} priority {_BEFORE}; policy accept;",
        f"{' '.join(_match(first))} meta nftrace set 1",
        "}",
        "}",
    )
    return removal(MARKING) + "\n".join((*lines, ""))


def _match(first: First) -> Iterator[str]:
    if first.sender:
        yield f"meta skuid {first.sender.uid} meta skgid {first.sender.gid}"
    yield words(ToNetwork(first.destination))
    yield words(ToPort(first.protocol, first.port))
    if first.protocol == "tcp":
        yield _SYN


def told(monitored: str) -> tuple[Told, ...]:
    """Of the first packet that was marked, the rules that it met after that; empty where none was."""
    rules = _rules(monitored)
    marked = next((event[2] for event in rules if event[4] == MARKING), "")
    return tuple(_told(event) for event in rules if event[2] == marked and event[4] != MARKING)


def has_marked(monitored: str) -> bool:
    """Whether a packet was marked."""
    return any(event[4] == MARKING for event in _rules(monitored))


def _rules(monitored: str) -> list[list[str]]:
    """Of all that is told of packets, the rules that they met."""
    events = (line.split(maxsplit=7) for line in monitored.splitlines() if line.startswith("trace id "))
    return [event for event in events if len(event) == 8 and event[6] == "rule"]


def _told(event: list[str]) -> Told:
    """Of `trace id ID FAMILY TABLE CHAIN rule TEXT comment "WHY" (verdict VERDICT)`."""
    text, _, verdict = event[7].rpartition(" (verdict ")
    _, commented, comment = text.partition(' comment "')
    why = comment.removesuffix('"') if commented else text
    return Told(f"{event[3]} {event[4]}", event[5], why, verdict.rstrip().removesuffix(")"))


def deviations(found: Iterable[Told], computed: Way) -> tuple[str, ...]:
    """What in our table was otherwise than *computed*; if anything was, what was met in tables of others, too.

    Left out are what a captured packet meets later, and lines in the log, of which there are so many a second.
    """
    logged = {_line(each.chain, each.rule.why) for each in computed.met if isinstance(each.rule.then, Log)}
    wanted = [line for each in computed.met if (line := _line(each.chain, each.rule.why)) not in logged]
    everywhere = [(each, _line(each.chain, each.why)) for each in found]
    seen = [line for each, line in everywhere if each.table == _OURS and line not in logged]
    if isinstance(computed.fate, Captured) and wanted[-1] in seen:
        seen = seen[: seen.index(wanted[-1]) + 1]
    if seen == wanted:
        return ()
    missing = (f"not met, though computed: {line}" for line in wanted if line not in seen)
    others = (f"met, though not computed: {line}" for line in seen if line not in wanted)
    foreign = (
        f"met in table {each.table}: {line} ({each.verdict})" for each, line in everywhere if each.table != _OURS
    )
    return (*missing, *others, *foreign) or ("the same rules, in another order",)


def _line(chain: str, why: str) -> str:
    return f"{chain}: {why}"
