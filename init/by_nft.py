"""The table `inet proa`, put in, read back and taken out by nft. Shell."""

from __future__ import annotations

from init.applied import Loaded
from init.listing import differences as changes
from init.nftables import first_script, removal, script, table
from init.programs import run
from init.rules import TABLE
from proa.capture.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from init.programs import Answer
    from init.ruleset import Ruleset

_TPROXY: Final = "tproxy to :"
"""Stands in a table that needs routes."""


class Nftables(Value):
    """One table in one transaction."""

    def load(self, rules: Ruleset) -> Loaded:
        """Have the table as *rules* say. Raises KernelRefused."""
        first = run("nft", "-f", "-", script=first_script(rules))
        if not first.status or "File exists" not in first.complaint:
            _must(first)
            _check(rules)
            return Loaded(unchanged=False, was_tproxied=False)
        former = _listed()
        unchanged = not changes(table(rules), former)
        if not unchanged:
            _replace(rules)
        return Loaded(unchanged=unchanged, was_tproxied=_TPROXY in former)

    def differences(self, rules: Ruleset) -> tuple[str, ...]:
        """What the kernel has otherwise than *rules*. Raises KernelRefused."""
        return changes(table(rules), _listed())

    def remove(self) -> bool:
        """Have no table; whether the one that was there needs routes. Raises KernelRefused."""
        former = _listed()
        _must(run("nft", "-f", "-", script=removal()))
        return _TPROXY in former

    def script(self, rules: Ruleset) -> str:
        """What nft would be told."""
        return script(rules)

    def removal(self) -> str:
        """What nft would be told."""
        return removal()


def _listed() -> str:
    """The table as the kernel has it; empty if it has none."""
    answer = run("nft", "-y", "-s", "list", "table", "inet", TABLE)
    return "" if "No such file" in answer.complaint else _must(answer)


def _replace(rules: Ruleset) -> None:
    answer = run("nft", "-f", "-", script=script(rules))
    if answer.status:
        from init.failures import replacement_failure  # noqa: PLC0415 - only a failure pays for it

        raise replacement_failure(answer.complaint)
    _check(rules)


def _check(rules: Ruleset) -> None:
    if found := changes(table(rules), _listed()):
        from init.failures import differing_table  # noqa: PLC0415 - only a failure pays for it

        raise differing_table(found)


def _must(answer: Answer) -> str:
    if not answer.status:
        return answer.output
    from init.failures import nft_failure  # noqa: PLC0415 - only a failure pays for it

    raise nft_failure(answer.complaint)
