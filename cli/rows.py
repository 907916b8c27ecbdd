"""A row of checks as JSON. Pure."""

from typing import Any

from installation.checks import Failed, NotMade, Passed, Row


def plain_row(row: Row) -> dict[str, Any]:
    match row.outcome:
        case Passed():
            outcome, found = "passed", []
        case Failed(lines):
            outcome, found = "failed", list(lines)
        case NotMade(why):
            outcome, found = "not made", [why]
    return {
        "code": row.code,
        "title": row.title,
        "severity": row.severity.value,
        "outcome": outcome,
        "found": found,
        "remedy": row.remedy,
    }
