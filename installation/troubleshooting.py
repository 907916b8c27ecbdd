"""docs/troubleshooting.md from the tables of checks: a message and its entry cannot drift apart. Pure.

Written by `python -m installation.troubleshooting > docs/troubleshooting.md`.
"""

import sys
from collections.abc import Iterator
from typing import Any

from installation.checks import Check, Severity
from installation.obstacles import OBSTACLES, Obstacle
from installation.postflight import POSTFLIGHT
from installation.preflight import PREFLIGHT

_HEAD = """\
# Troubleshooting

One entry for each message that `proa check` can print, by its code. `proa install` and `proa upgrade` make the same
checks of the cluster first and change nothing where one of them finds a problem.

| exit status of `proa check` | |
|---|---|
| 0 | nothing is wrong; warnings do not count |
| 1 | at least one problem |
| 2 | the checks could not be made, or the command was used wrongly |

`proa check -o json` gives the same for scripts: `code` never changes between versions, words may.

Why one pod has no sidecar is answered by `proa explain POD -n NAMESPACE`, and for all of them by `proa status`. Why a
connection of a pod goes by its sidecar, or past it, is answered by `proa trace POD -n NAMESPACE --to ADDRESS:PORT`.
"""


def troubleshooting() -> str:
    """The whole document."""
    return "".join(_document())


def _document() -> Iterator[str]:
    yield _HEAD
    yield "\n## When a command cannot go on\n"
    yield from map(_obstacle, OBSTACLES)
    yield "\n## The cluster\n"
    yield from map(_entry, PREFLIGHT)
    yield "\n## The installation\n"
    yield from map(_entry, POSTFLIGHT)


def _entry(check: Check[Any]) -> str:
    severity = "" if check.severity is Severity.PROBLEM else " (a warning)"
    return _written(check.code, f"Expected{severity}: {check.title}.", check.meaning, check.remedy)


def _obstacle(obstacle: Obstacle) -> str:
    return _written(obstacle.code, f"{obstacle.title}.", obstacle.meaning, obstacle.remedy)


def _written(code: str, title: str, meaning: str, remedy: str) -> str:
    return f"\n### `{code}`\n{title}\n\n{meaning}\n\n**Remedy:** {remedy}.\n"


if __name__ == "__main__":
    sys.stdout.write(troubleshooting())
