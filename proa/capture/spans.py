"""Ports and ids as spans, first and last: sets that read, merge and print alike everywhere. Pure."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Final, TypeAlias

Span: TypeAlias = "tuple[int, int]"
Spans: TypeAlias = "tuple[Span, ...]"

LAST_PORT: Final = 65535
LAST_ID: Final = 2**32 - 2
"""The highest user or group: 2**32 - 1 is the kernel's `no id` (chown(2))."""
ALL_PORTS: Final[Spans] = ((1, LAST_PORT),)
ALL_IDS: Final[Spans] = ((0, LAST_ID),)


def singles(*numbers: int) -> Spans:
    """Each number as a span of its own."""
    return tuple((number, number) for number in numbers)


def merged(spans: Iterable[Span]) -> Spans:
    """The same numbers in as few spans as can be, in ascending order."""
    result: list[Span] = []
    for first, last in sorted(spans):
        if result and first <= result[-1][1] + 1:
            result[-1] = (result[-1][0], max(last, result[-1][1]))
        else:
            result.append((first, last))
    return tuple(result)


def inside(span: Span, others: Iterable[Span]) -> bool:
    """Whether every number of *span* is in *others*."""
    return any(first <= span[0] and span[1] <= last for first, last in merged(others))


def holds(spans: Iterable[Span], number: int) -> bool:
    """Whether *number* is in one of *spans*."""
    return any(first <= number <= last for first, last in spans)


def spelled(spans: Iterable[Span]) -> str:
    """`80,3000-3100`, as read_spans reads it."""
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in spans)


def read_spans(text: str) -> Spans:
    """*text* such as `80,3000-3100`, or nothing, in its own order. Raises ValueError."""
    return tuple(map(_span, text.split(","))) if text else ()


def read_number(text: str) -> int:
    """Decimal digits, at most ten. Raises ValueError."""
    if not (text.isascii() and text.isdigit() and len(text) <= 10):
        raise ValueError
    return int(text)


def _span(text: str) -> Span:
    first, joined, last = text.partition("-")
    number = read_number(first)
    return number, read_number(last) if joined else number
