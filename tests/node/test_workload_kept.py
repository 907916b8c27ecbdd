"""What the agent keeps of the authority's answers, and how often it asks, whoever calls."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from ca.istio.verdict import Code
from node.workload.attestation import WorkloadRefused
from node.workload.kept import Ages, Kept

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@dataclass
class Authority:
    """Answers the first of *answers* once each: a text, or a refusal by its code."""

    answers: list[str | Code]
    now: datetime = NOW
    asked: list[datetime] = field(default_factory=list)

    async def told(self) -> str:
        self.asked.append(self.now)
        answer = self.answers.pop(0)
        if isinstance(answer, Code):
            raise WorkloadRefused(answer, "AuthorityRefused", "not now")
        return answer

    def kept(self, otherwise: str | None = None) -> Kept[str]:
        return Kept(self.told, lambda: self.now, Ages(timedelta(minutes=1)), otherwise)


async def test_who_wait_for_the_same_ask_for_it_once() -> None:
    asked, answered = [], asyncio.Event()

    async def asks() -> str:
        asked.append(1)
        await answered.wait()
        return "told"

    kept = Kept(asks, lambda: NOW, Ages(timedelta(minutes=1)))
    first, *others = (asyncio.ensure_future(kept.now()) for _ in range(5))
    await asyncio.sleep(0)
    first.cancel()
    answered.set()
    assert await asyncio.gather(*others) == ["told"] * 4
    assert len(asked) == 1


async def test_while_there_is_nothing_a_refusal_is_told_again_for_a_second_and_the_authority_not_asked() -> None:
    authority = Authority([Code.UNAVAILABLE, "told"])
    kept = authority.kept()
    for _ in range(100):
        with pytest.raises(WorkloadRefused, match="not now"):
            await kept.now()
    assert len(authority.asked) == 1
    authority.now += timedelta(seconds=1)
    assert await kept.now() == "told"


async def test_a_replica_of_before_takes_nothing_back_of_what_another_one_has_told() -> None:
    authority = Authority([Code.UNIMPLEMENTED, "told", Code.UNIMPLEMENTED])
    kept, found = authority.kept("nothing"), list[str]()
    for _ in range(3):
        found.append(await kept.now())
        authority.now += timedelta(minutes=1)
    assert found == ["nothing", "told", "told"]


async def test_what_is_kept_for_ever_outlasts_a_clock_that_is_put_back_while_the_authority_is_away() -> None:
    authority = Authority(["told", Code.UNAVAILABLE])
    kept = authority.kept()
    assert await kept.now() == "told"
    authority.now -= timedelta(seconds=1)
    assert await kept.now() == "told"


async def test_where_nothing_is_no_answer_one_that_is_not_known_is_refused() -> None:
    with pytest.raises(WorkloadRefused, match="not now"):
        await Authority([Code.UNIMPLEMENTED]).kept().now()
