"""What callers have not taken yet of what they were sent: bounded for each pod, as the agent's memory is. Shell.

A client that reads nothing keeps whole messages here, one for each of its streams; with other trust domains' roots and
CRLs in them these are long.
"""

from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

from ca.istio.verdict import Code
from node.workload.attestation import WorkloadRefused

OF_A_POD: Final = 512 * 1024
"""Bytes, or one message that is longer. grpcio has them twice: of a hundred pods that is less than half of what the
agent may have."""


class Unread:
    def __init__(self) -> None:
        self._bytes = Counter[str]()

    @contextmanager
    def held(self, pod: str, size: int) -> Generator[None]:
        """While a message of *size* bytes is on its way to *pod*. Raises WorkloadRefused where it has too many."""
        if self._bytes[pod] and self._bytes[pod] + size > OF_A_POD:
            raise WorkloadRefused(Code.RESOURCE_EXHAUSTED, "PodUnread", "this pod has too many messages to read")
        self._bytes[pod] += size
        try:
            yield
        finally:
            self._bytes[pod] -= size
            if not self._bytes[pod]:
                del self._bytes[pod]
