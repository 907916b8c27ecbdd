"""The labels of every namespace, from memory, and a short wait for one that is not there yet. Shell."""

import asyncio
import sys
from collections.abc import Callable, Mapping
from typing import Final, Protocol, TypeAlias

from proa.json import Json

Labels: TypeAlias = Mapping[str, str]
ARRIVAL_SECONDS: Final = 1.0
"""A Namespace that was made together with its pods is seen within milliseconds; the API server waits for five."""


class Source(Protocol):
    """What is kept of all namespaces (`kube.index.Index`)."""

    def get(self, namespace: str, name: str) -> Labels | None: ...

    def subscribe(self, callback: Callable[..., None]) -> object: ...


class Namespaces:
    """Asked by the webhook for each pod."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._news = asyncio.Event()
        source.subscribe(self._changed)

    def labels(self, name: str) -> Labels | None:
        """All of them, as the configuration may select by any; None where the namespace has not been seen."""
        return self._source.get("", name)

    async def arrival(self, name: str, seconds: float = ARRIVAL_SECONDS) -> Labels | None:
        """As `labels`, but a namespace that has not been seen is waited for: *seconds*, and never longer than usual."""
        try:
            async with asyncio.timeout(min(seconds, ARRIVAL_SECONDS)):
                while (found := self.labels(name)) is None:
                    await self._news.wait()
        except TimeoutError:
            return None
        return found

    def _changed(self, *_: object) -> None:
        self._news.set()
        self._news = asyncio.Event()


def labels_of(namespace: Json) -> Labels:
    """What is kept of a Namespace. Its keys are those of the others: kept once."""
    match namespace:
        case {"metadata": {"labels": dict(labels)}}:
            return {sys.intern(key): str(value) for key, value in labels.items()}
        case _:
            return {}
