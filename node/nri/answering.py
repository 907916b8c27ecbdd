"""Does what the runtime tells of sandboxes by NRI. Shell: what is told is `messages`' to read, the rest `attachment`'s.

A runtime drops who does not answer in time, and starts the pod: whatever fails or takes long is answered as a failure.
"""

import asyncio
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from node.attachment import Attachments
from node.cni import INVALID_ENVIRONMENT, TRY_AGAIN_LATER, CniRefused, Owner
from node.metrics import Metrics
from node.nri.session import Started, refused, succeeded
from node.processes import network_of

_SHARE: Final = 0.75
"""Of the time that the runtime waits for an answer."""
YOUTH: Final = 3.0
"""Seconds within which the runtime tells of a sandbox that has its first process, one pod after the other."""
_LOG: Final = structlog.get_logger("node")


@dataclass(frozen=True, slots=True)
class Sandboxes:
    """*proc* is the node's, of its own process numbers."""

    attachments: Attachments
    excluded_namespaces: tuple[str, ...]
    metrics: Metrics
    proc: Path

    async def started(self, sandbox: Started) -> bytes:
        """The answer, once the sandbox is intercepted, is none of ours, or cannot be."""
        began = time.perf_counter()
        error = await self._error(sandbox)
        outcome = str(error.number) if error else "done"
        self.metrics.answered("RunPodSandbox", outcome, time.perf_counter() - began)
        if error is None:
            return succeeded(sandbox.stream)
        pod = f"{sandbox.owner.namespace}/{sandbox.owner.name}"
        _LOG.warning("refused", command="RunPodSandbox", pod=pod, number=error.number, error=str(error))
        return refused(sandbox.stream, f"proa: {error}")

    def stopped(self, owner: Owner) -> None:
        self.attachments.detach(owner)
        self.metrics.answered("StopPodSandbox", "done", 0.0)

    async def _error(self, sandbox: Started) -> CniRefused | None:
        seconds = sandbox.seconds * _SHARE
        try:
            async with asyncio.timeout(seconds):
                await self._attach(sandbox.owner, sandbox.pid)
        except CniRefused as error:
            return error
        except TimeoutError:
            return CniRefused(TRY_AGAIN_LATER, "the node agent was too slow", f"no answer in {seconds:g} s")
        except Exception as error:  # noqa: BLE001 - no answer would let the sandbox start
            _LOG.exception("not attached")
            return CniRefused(TRY_AGAIN_LATER, "the node agent failed", f"{type(error).__name__}: {error}")
        return None

    async def _attach(self, owner: Owner, pid: int) -> None:
        if not (owner.namespace and owner.name and owner.uid):
            raise CniRefused(INVALID_ENVIRONMENT, "the runtime does not say whose sandbox it is", str(owner))
        if owner.namespace in self.excluded_namespaces:
            return
        if (pod := await self.attachments.meant(owner)) is None:
            return
        # By a process: a path would be the node's, of which nothing is mounted here.
        if (place := network_of(self.proc, owner.uid, pid)) is None:
            details = f"process {pid} is not in the control group of a pod with the UID {owner.uid}"
            raise CniRefused(TRY_AGAIN_LATER, "the sandbox's network is not found", details)
        try:
            await self.attachments.attach(pod, place)
        finally:
            os.close(place)
