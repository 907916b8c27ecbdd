"""Attaches pods to the mesh as their networks are made, whoever tells of them: a CNI plugin, or NRI. Shell.

What a pod is to have is what the API server says of it; who tells of its network only names it.
"""

import time
from typing import Final

import structlog

from node.cni import DIFFERENT, CniRefused, Owner
from node.ledger import Ledger
from node.pods import Pod
from node.population import Population
from node.programming import Programmer
from node.standing import Programmed

_LOG: Final = structlog.get_logger("node")


class Attachments:
    """One for all doors."""

    def __init__(self, population: Population, programmer: Programmer, ledger: Ledger) -> None:
        self._population, self._programmer, self._ledger = population, programmer, ledger

    async def meant(self, owner: Owner) -> Pod | None:
        """The pod, None if it is not to be intercepted. Raises CniRefused."""
        found = await self._population.of(owner)
        return None if found.wanted is None else found

    async def attach(self, pod: Pod, place: int) -> None:
        """Have *pod* intercepted in the network namespace that is open as *place*. Raises CniRefused."""
        started = time.perf_counter()
        await self._programmer.done("apply", pod.wanted or "", place)
        self._ledger.note(pod.uid, Programmed())
        milliseconds = round((time.perf_counter() - started) * 1000, 1)
        _LOG.info("programmed", pod=str(pod.key), uid=pod.uid, milliseconds=milliseconds)

    async def check(self, pod: Pod, place: int) -> None:
        """Raises CniRefused."""
        outcome = await self._programmer.done("verify", pod.wanted or "", place)
        if outcome.how == "differs":
            raise CniRefused(DIFFERENT, "the pod's rules are not what its annotation says", outcome.text)

    def detach(self, owner: Owner) -> None:
        """Its network goes, and the rules with it."""
        self._ledger.forget(owner.uid)
