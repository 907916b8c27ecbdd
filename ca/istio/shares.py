"""Which connections are more than their client's share: by address, the oldest kept. Pure."""

from collections import Counter
from collections.abc import Mapping
from typing import TypeVar

from ca.istio.asked import Address

C = TypeVar("C")


def surplus(connections: Mapping[C, Address], most: int) -> tuple[C, ...]:
    """Those of *connections*, which are in the order in which they came, that go beyond *most* of one address."""
    counted = Counter[Address]()
    beyond: list[C] = []
    for connection, address in connections.items():
        counted[address] += 1
        if counted[address] > most:
            beyond.append(connection)
    return tuple(beyond)
