"""Puts networks into the sets of a table, past nft. Shell."""

from __future__ import annotations

import os

from init.elements import batches, generation_of, question
from init.netlink_socket import NETFILTER, answered

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from init.failures import KernelRefused
    from init.ruleset import NetworkSet

_ERESTART: Final = 85
"""linux/errno.h: another transaction came first."""


def generation() -> int:
    """How many transactions of nftables there have been here; 0 where the kernel does not say, as it cannot at all: nft
    will be told why."""
    try:
        return generation_of(answered(NETFILTER, question()))
    except OSError:
        return 0


def fill(table: str, named: NetworkSet, generation: int) -> int:
    """Have the networks of *named* in the set of this name, which is there and empty, unless another transaction came
    after *generation*: it may have made a table of this name that is not ours. What the generation is then. Raises
    KernelRefused."""
    for batch in batches(table, named, generation):
        try:
            *_, last = answered(NETFILTER, batch)
        except OSError as error:
            raise _refusal(named, error.errno or 0) from error
        if last.error:
            raise _refusal(named, last.error)
        generation += 1
    return generation


def _refusal(named: NetworkSet, error: int) -> KernelRefused:
    """The set was made a moment ago, so nf_tables works: ENOENT is a table that somebody has removed meanwhile."""
    from init.failures import changed_meanwhile, replacement_failure  # noqa: PLC0415 - only a failure pays for it

    if error == _ERESTART:
        return changed_meanwhile()
    return replacement_failure(f"Error: elements of {named.name}: {os.strerror(error)}")
