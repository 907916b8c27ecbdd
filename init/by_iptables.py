"""Chains of iptables and ip6tables, put in, read back and taken out by their restore and save. Shell."""

from __future__ import annotations

import os

from init.applied import Loaded
from init.failures import differing_table, iptables_failure
from init.iptables import tables
from init.iptables_scripts import differences as changes
from init.iptables_scripts import replacement, saved
from init.programs import run
from proa.capture.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from init.iptables import Tables
    from init.programs import Answer
    from init.ruleset import Ruleset

_IPV6: Final = "/proc/net/if_inet6"
"""Is there where the kernel has IPv6."""
_WAIT: Final = "5"
"""Seconds for the lock that the legacy programs share with others."""


class Iptables(Value):
    """The programs of one kind: the suffix is empty for the system's choice, or `-legacy`."""

    suffix: str = ""

    def load(self, rules: Ruleset) -> Loaded:
        """Have our chains as *rules* say: a table at a time, IPv4 first; all as before if one fails.

        Raises KernelRefused.
        """
        former = {family: self._saved(family) for family in _families()}
        wanted = {family: tables(rules, family) for family in former}
        unchanged = not any(changes(wanted[family], former[family]) for family in former)
        if not unchanged:
            self._replace(former, wanted)
        return Loaded(unchanged=unchanged, was_tproxied=any(map(_is_tproxied, former.values())))

    def differences(self, rules: Ruleset) -> tuple[str, ...]:
        """What the kernel has otherwise than *rules*. Raises KernelRefused."""
        return tuple(
            f"IPv{family}, {text}"
            for family in _families()
            for text in changes(tables(rules, family), self._saved(family))
        )

    def is_present(self) -> bool:
        """Whether there is a chain of ours. Raises KernelRefused."""
        return any(self._saved(family) for family in _families())

    def remove(self) -> bool:
        """Have none of our chains; whether those that were there need routes. Raises KernelRefused."""
        former = {family: self._saved(family) for family in _families()}
        self._replace(former, {family: {} for family in former})
        return any(map(_is_tproxied, former.values()))

    def script(self, rules: Ruleset) -> str:
        """What iptables-restore and ip6tables-restore would be told where nothing of ours is."""
        return "".join(self._said(family, replacement({}, tables(rules, family))) for family in (4, 6))

    def removal(self) -> str:
        """What they would be told now. Raises KernelRefused."""
        return "".join(self._said(family, replacement(self._saved(family), {})) for family in _families())

    def _said(self, family: int, script: str) -> str:
        return f"# {self._program(family, 'restore')} --noflush\n{script}"

    def _replace(self, former: dict[int, Tables], wanted: dict[int, Tables]) -> None:
        done: list[int] = []
        try:
            for family, before in former.items():
                done.append(family)
                self._restore(family, replacement(before, wanted[family]))
                self._check(family, wanted[family])
        except BaseException:
            for family in reversed(done):
                self._restore(family, replacement(self._saved(family), former[family]))
            raise

    def _check(self, family: int, wanted: Tables) -> None:
        if found := changes(wanted, self._saved(family)):
            raise differing_table(found)

    def _restore(self, family: int, script: str) -> None:
        if script:
            _must(run(self._program(family, "restore"), "--noflush", "--wait", _WAIT, script=script, **_lock()))

    def _saved(self, family: int) -> Tables:
        return saved(_must(run(self._program(family, "save"))))

    def _program(self, family: int, verb: str) -> str:
        return f"{'ip6tables' if family == 6 else 'iptables'}{self.suffix}-{verb}"


def _lock() -> dict[str, str]:
    """In a pod /run is often read-only, and nobody else writes tables there: then no lock is held."""
    return {} if os.access("/run", os.W_OK) else {"XTABLES_LOCKFILE": os.devnull}


def _families() -> tuple[int, ...]:
    return (4, 6) if os.path.exists(_IPV6) else (4,)  # noqa: PTH110 - pathlib takes 8 ms to import


def _is_tproxied(found: Tables) -> bool:
    return any("-j TPROXY" in rule for chains in found.values() for rules in chains.values() for rule in rules)


def _must(answer: Answer) -> str:
    if answer.status:
        raise iptables_failure(answer.complaint)
    return answer.output
