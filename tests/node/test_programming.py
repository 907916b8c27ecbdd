"""Jobs in pods' networks: how many are under way at once, whoever still waits for them."""

import asyncio

import pytest

from node.cni import CniRefused
from node.jobs import LONGEST, WAITING
from support.small import Small


async def test_a_job_keeps_its_room_until_it_is_over_though_who_asked_is_gone(small: Small, place: int) -> None:
    for _ in range(WAITING + 3):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await small.programmer.done("apply", "{}", place)
    jobs = await small.asked()
    assert len(jobs) == WAITING
    later = asyncio.create_task(small.programmer.done("verify", "{}", place))
    small.answer(jobs[0], "applied")
    (more,) = await small.asked()
    small.answer(more, "verified")
    assert (await later).how == "verified"


async def test_an_annotation_that_fits_no_message_is_refused_and_takes_no_room(small: Small) -> None:
    for _ in range(WAITING + 1):
        with pytest.raises(CniRefused, match="is longer than"):
            await small.programmer.done("apply", "x" * LONGEST, 0)


async def test_a_job_that_cannot_be_sent_gives_its_room_back(small: Small) -> None:
    for _ in range(WAITING + 1):
        with pytest.raises(OSError, match="Bad file descriptor"):
            await small.programmer.done("apply", "{}", 2**20)
