"""Does what a plugin asks for. Shell: what was asked is `cni`'s to read, the rules are `init`'s."""

import time
from collections.abc import Mapping
from typing import Final

import structlog

from node.attachment import Attachments
from node.cni import (
    INVALID_ENVIRONMENT,
    Add,
    Check,
    CniRefused,
    Collect,
    Delete,
    NoPod,
    Owner,
    Request,
    Status,
    refusal,
    request,
    version,
)
from node.metrics import Metrics
from node.pods import Pod
from node.wire import answer, question

_LOG: Final = structlog.get_logger("node")
_REFUSED: Final = 1


class Answering:
    """One for all connections."""

    def __init__(self, attachments: Attachments, metrics: Metrics) -> None:
        self._attachments, self._metrics = attachments, metrics

    async def answer(self, received: bytes, place: int | None) -> bytes:
        """To one question, which came with the network namespace *place*. What fails is an answer, too."""
        started, variables, configuration = time.perf_counter(), dict[str, str](), b""
        try:
            variables, configuration = question(received)
            printed = await self._done(request(variables, configuration), place)
        except CniRefused as error:
            self._tell(variables, error, started)
            return answer(_REFUSED, refusal(error, version(configuration)))
        self._metrics.answered(variables["CNI_COMMAND"], "done", time.perf_counter() - started)
        return answer(0, printed)

    def _tell(self, variables: Mapping[str, str], error: CniRefused, started: float) -> None:
        command = variables.get("CNI_COMMAND", "")
        self._metrics.answered(command, str(error.number), time.perf_counter() - started)
        args = variables.get("CNI_ARGS", "")
        _LOG.warning("refused", command=command, arguments=args, number=error.number, error=str(error))

    async def _done(self, asked: Request, place: int | None) -> bytes:
        match asked:
            case Add(owner, former):
                if (pod := await self._meant(owner)) is not None:
                    await self._attachments.attach(pod, _given(place))
                return former
            case Check(owner):
                if (pod := await self._meant(owner)) is not None:
                    await self._attachments.check(pod, _given(place))
            case Delete(Owner() as owner):
                self._attachments.detach(owner)
            case Delete() | Collect() | Status():
                pass
        return b""

    async def _meant(self, owner: Owner | NoPod) -> Pod | None:
        return None if isinstance(owner, NoPod) else await self._attachments.meant(owner)


def _given(place: int | None) -> int:
    if place is None:
        raise CniRefused(INVALID_ENVIRONMENT, "CNI_NETNS names no network namespace", "the plugin could not open it")
    return place
