"""What several tests of the agent's parts need."""

import os
from collections.abc import AsyncIterator, Iterator

import pytest

from support.small import Small, spoken_for


@pytest.fixture
async def small() -> AsyncIterator[Small]:
    async with spoken_for() as made:
        yield made


@pytest.fixture
def place() -> Iterator[int]:
    number = os.open("/proc/self/ns/net", os.O_RDONLY)
    yield number
    os.close(number)
