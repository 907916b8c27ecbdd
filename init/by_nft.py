"""The table `inet proa`, put in, read back and taken out by nft. Shell."""

from __future__ import annotations

from init.applied import Loaded
from init.listing import differences as changes
from init.nftables import first_script, networks, removal, script, second_script, table, withdrawal
from init.programs import run
from init.rules import TABLE
from proa.capture.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final, Protocol

    from init.programs import Answer
    from init.ruleset import Ruleset

    class Nft(Protocol):
        """Who speaks nft's language to the kernel; each method may raise KernelRefused."""

        def told(self, script: str) -> Answer: ...
        def listed(self, what: str) -> Answer: ...


_TPROXY: Final = "tproxy to :"
"""Stands in a table that needs routes."""
_THERE: Final = "File exists"
"""EEXIST in the words of strerror(3)."""
_CHAIN: Final = "\tchain "
"""Stands in a table that does something."""


class Program(Value):
    """nft itself, started anew for each script."""

    def told(self, script: str) -> Answer:
        """Raises ProgramMissing."""
        return run("nft", "-f", "-", script=script)

    def listed(self, what: str) -> Answer:
        """With priorities as numbers and without counters' values. Raises ProgramMissing."""
        return run("nft", "-y", "-s", "list", *what.split())


class Nftables(Value):
    """One table, in force by one transaction."""

    nft: Nft

    def load(self, rules: Ruleset) -> Loaded:
        """Have the table as *rules* say. Raises KernelRefused."""
        sets = networks(rules)
        before = _generation() if sets else 0
        first = self.nft.told(first_script(rules))
        if not first.status or _THERE not in first.complaint:
            must(first)
            if sets:
                self._complete(rules, before + 1)
            self._check(rules)
            return Loaded(unchanged=False, was_tproxied=False)
        former = self._listed()
        unchanged = not changes(table(rules), former)
        if not unchanged:
            self._replace(rules)
        return Loaded(unchanged=unchanged, was_tproxied=_TPROXY in former)

    def differences(self, rules: Ruleset) -> tuple[str, ...]:
        """What the kernel has otherwise than *rules*. Raises KernelRefused."""
        return changes(table(rules), self._listed())

    def is_present(self) -> bool:
        """Whether there is a chain of ours: a run that was killed may have left sets. Raises KernelRefused."""
        return _CHAIN in self._listed()

    def remove(self) -> bool:
        """Have no table; whether the one that was there needs routes. Raises KernelRefused."""
        former = self._listed()
        must(self.nft.told(removal()))
        return _TPROXY in former

    def script(self, rules: Ruleset) -> str:
        """What nft would be told."""
        return script(rules)

    def removal(self) -> str:
        """What nft would be told."""
        return removal()

    def _listed(self) -> str:
        """The table as the kernel has it; empty if it has none."""
        answer = self.nft.listed(f"table inet {TABLE}")
        return "" if "No such file" in answer.complaint else must(answer)

    def _complete(self, rules: Ruleset, generation: int) -> None:
        """Of a table that has nothing but sets since *generation*, make the whole. Raises KernelRefused; then nothing
        of it is left."""
        from init.filling import fill  # noqa: PLC0415 - most pods name no network

        try:
            for named in networks(rules):
                generation = fill(rules.table, named, generation)
            must(self.nft.told(second_script(rules)))
        except BaseException:
            if _THERE in self.nft.told(withdrawal(rules)).complaint:
                from init.failures import overtaken  # noqa: PLC0415 - only a failure pays for it

                raise overtaken() from None
            raise

    def _replace(self, rules: Ruleset) -> None:
        answer = self.nft.told(script(rules))
        if answer.status:
            from init.failures import replacement_failure  # noqa: PLC0415 - only a failure pays for it

            raise replacement_failure(answer.complaint)
        self._check(rules)

    def _check(self, rules: Ruleset) -> None:
        if found := self.differences(rules):
            from init.failures import differing_table  # noqa: PLC0415 - only a failure pays for it

            raise differing_table(found)


def _generation() -> int:
    from init.filling import generation  # noqa: PLC0415 - most pods name no network

    return generation()


def must(answer: Answer) -> str:
    """What nft said. Raises KernelRefused."""
    if not answer.status:
        return answer.output
    from init.failures import nft_failure  # noqa: PLC0415 - only a failure pays for it

    raise nft_failure(answer.complaint)
