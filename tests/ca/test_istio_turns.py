"""Calls that come close together are answered in a row, in the order in which they came."""

import asyncio

from ca.istio.turns import Turns

LONG, SOON = 3600.0, 0.02
"""Seconds, of a real clock: nothing here depends on how long they are."""


async def answered(turns: Turns, number: int, told: list[str]) -> None:
    await turns.turn()
    told.append(f"work {number}")
    await asyncio.sleep(0)
    told.append(f"answer {number}")


async def several(turns: Turns, count: int) -> list[str]:
    """What *count* calls do that come at once, just after another one."""
    told: list[str] = []
    await turns.turn()
    await asyncio.gather(*(answered(turns, number, told) for number in range(count)))
    return told


async def test_who_comes_alone_waits_for_nobody() -> None:
    async with asyncio.timeout(20):
        await Turns(LONG, LONG).turn()


async def test_those_who_come_soon_after_are_all_worked_for_before_any_of_them_is_answered() -> None:
    work, answer = ([f"{what} {number}" for number in range(5)] for what in ("work", "answer"))
    assert await several(Turns(LONG, SOON), 5) == work + answer


async def test_a_row_is_no_longer_than_it_may_be() -> None:
    rows = ([0, 1], [2, 3], [4])
    expected = [f"{what} {number}" for row in rows for what in ("work", "answer") for number in row]
    assert await several(Turns(LONG, SOON, most=2), 5) == expected


async def test_who_gives_up_keeps_nobody_waiting() -> None:
    turns, told = Turns(LONG, SOON), list[str]()
    await turns.turn()
    tasks = [asyncio.create_task(answered(turns, number, told)) for number in range(3)]
    await asyncio.sleep(0)
    tasks[0].cancel()
    tasks[2].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert [task.cancelled() for task in tasks] == [True, False, True]
    assert told == ["work 1", "answer 1"]


async def test_a_row_that_everybody_left_is_no_end_of_rows() -> None:
    turns, told = Turns(LONG, SOON), list[str]()
    await turns.turn()
    left = asyncio.create_task(turns.turn())
    await asyncio.sleep(0)
    left.cancel()
    await asyncio.gather(left, return_exceptions=True)
    await asyncio.gather(*(answered(turns, number, told) for number in range(2)))
    assert told == ["work 0", "work 1", "answer 0", "answer 1"]
