"""Puts networks into the sets of a table, past nft. Shell."""

from __future__ import annotations

import os

from init.elements import batches
from init.netlink_socket import NETFILTER, answered

TYPE_CHECKING = False
if TYPE_CHECKING:
    from init.failures import KernelRefused
    from init.ruleset import NetworkSet


def fill(table: str, named: NetworkSet) -> None:
    """Have the networks of *named* in the set of this name, which is there and empty. Raises KernelRefused."""
    for batch in batches(table, named):
        try:
            *_, last = answered(NETFILTER, batch)
        except OSError as error:
            raise _refusal(named, error.errno or 0) from error
        if last.error:
            raise _refusal(named, last.error)


def _refusal(named: NetworkSet, error: int) -> KernelRefused:
    """The set was made a moment ago, so nf_tables works: ENOENT is a table that somebody has removed meanwhile."""
    from init.failures import replacement_failure  # noqa: PLC0415 - only a failure pays for it

    return replacement_failure(f"Error: elements of {named.name}: {os.strerror(error)}")
