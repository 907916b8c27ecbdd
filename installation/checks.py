"""A check as a row of a table, and what comes of asking a table of them about a survey. Pure.

The row is also the message: its code never changes, its words are what `proa check` prints and what
docs/troubleshooting.md is made of.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Generic, TypeAlias, TypeVar

from installation.survey import Part, Unread

S = TypeVar("S")


class Severity(StrEnum):
    PROBLEM = "problem"
    """Proa cannot be installed, or does not do what it promises."""
    WARNING = "warning"
    """It works, but something will surprise."""


@dataclass(frozen=True, slots=True)
class Check(Generic[S]):
    """*title* is what should hold; where it does not, *found* yields a line for each thing at fault."""

    code: str
    title: str
    severity: Severity
    meaning: str
    """What happens while it does not hold."""
    remedy: str
    found: Callable[[S], Iterator[str]]
    needs: Callable[[S], tuple[Part[Any], ...]] = lambda _: ()
    """The parts of the survey that *found* reads; where one is Unread the check is not made."""


@dataclass(frozen=True, slots=True)
class Passed:
    """It holds."""


@dataclass(frozen=True, slots=True)
class Failed:
    """It does not: *found* says what is at fault, at least one line."""

    found: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NotMade:
    """The check could not be made."""

    why: str


Outcome: TypeAlias = Passed | Failed | NotMade


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a report."""

    code: str
    title: str
    severity: Severity
    remedy: str
    outcome: Outcome


def rows(table: tuple[Check[S], ...], survey: S) -> tuple[Row, ...]:
    """Every check of *table* asked about *survey*, in the table's order."""
    return tuple(Row(each.code, each.title, each.severity, each.remedy, _outcome(each, survey)) for each in table)


def problems(report: tuple[Row, ...]) -> tuple[Row, ...]:
    """The rows for which nothing should be installed, or for which what is installed does not work."""
    return tuple(row for row in report if row.severity is Severity.PROBLEM and isinstance(row.outcome, Failed))


def _outcome(check: Check[S], survey: S) -> Outcome:
    lacking = [part.why for part in check.needs(survey) if isinstance(part, Unread)]
    if lacking:
        return NotMade("; ".join(lacking))
    found = tuple(check.found(survey))
    return Failed(found) if found else Passed()
