"""Puts interception into the kernel's network namespace, reads it back, takes it out. Shell."""

from __future__ import annotations

from init import hairpin
from init.applied import Added, Applied
from init.choices import Tproxied
from init.listing import differences
from init.nftables import first_script, removal, script, table
from init.programs import run
from init.rules import TABLE, ruleset

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from init.choices import InboundMode
    from init.interception import Interception
    from init.programs import Answer

_TPROXY: Final = "tproxy to :"
"""Stands in a table that needs routes."""


def apply(wanted: Interception) -> Applied:
    """Intercept as *wanted*, in place of what may be intercepted now, without an instant in between.

    Raises KernelRefused (init.failures); then the former state is in force, unless the error is TableDiffers.
    """
    address = hairpin.add()
    routed = _route(wanted.inbound_mode)
    try:
        unchanged = _load(wanted)
    except BaseException:
        if isinstance(address, Added):
            hairpin.remove()
        _withdraw(routed)
        raise
    return Applied(address, unchanged=unchanged)


def remove() -> None:
    """Intercept nothing: no table, no address, no route. Nothing to remove is no error. Raises KernelRefused."""
    listed = _listed()
    _must(run("nft", "-f", "-", script=removal()))
    if _TPROXY in listed:
        _keep(None)
    hairpin.remove()


def _load(wanted: Interception) -> bool:
    """Whether the table was there already, as it is wanted."""
    rules = ruleset(wanted)
    first = run("nft", "-f", "-", script=first_script(rules))
    if not first.status or "File exists" not in first.complaint:
        _must(first)
        _check(table(rules), _listed())
        return False
    former = _listed()
    unchanged = not differences(table(rules), former)
    if not unchanged:
        _must(run("nft", "-f", "-", script=script(rules)))
        _check(table(rules), _listed())
    if _TPROXY in former:
        _keep(wanted.inbound_mode)
    return unchanged


def _listed() -> str:
    """The table as the kernel has it; empty if it has none."""
    answer = run("nft", "-y", "-s", "list", "table", "inet", TABLE)
    return "" if "No such file" in answer.complaint else _must(answer)


def _check(wanted: str, listed: str) -> None:
    if found := differences(wanted, listed):
        from init.failures import differing_table  # noqa: PLC0415 - only a failure pays for it

        raise differing_table(found)


def _must(answer: Answer) -> str:
    if not answer.status:
        return answer.output
    from init.failures import nft_failure  # noqa: PLC0415 - only a failure pays for it

    raise nft_failure(answer.complaint)


def _route(mode: InboundMode) -> Tproxied | None:
    """What was not routed so before."""
    if not isinstance(mode, Tproxied):
        return None
    from init import routing  # noqa: PLC0415 - pyroute2 takes 150 ms to import, and few pods want it

    return mode if routing.add(mode) else None


def _keep(mode: InboundMode | None) -> None:
    from init import routing  # noqa: PLC0415 - pyroute2 takes 150 ms to import, and few pods want it

    routing.keep(mode if isinstance(mode, Tproxied) else None)


def _withdraw(mode: Tproxied | None) -> None:
    if mode:
        from init import routing  # noqa: PLC0415 - pyroute2 takes 150 ms to import, and few pods want it

        routing.withdraw(mode)
