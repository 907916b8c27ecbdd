"""How long refusals are held back: those of one address, from a number on, and never more than there is room for."""

from ipaddress import ip_address

from hypothesis import given
from hypothesis import strategies as st

from ca.istio.limits import Rate
from ca.istio.tarpit import Tarpit

HERE, THERE = ip_address("10.0.0.1"), ip_address("10.0.0.2")


def test_some_refusals_are_told_at_once_and_the_next_are_held() -> None:
    tarpit = Tarpit(Rate(3, 0.1), seconds=2.0, room=10)
    assert [tarpit.enter(HERE, 0.0) for _ in range(5)] == [0.0, 0.0, 0.0, 2.0, 2.0]


def test_another_address_pays_for_nothing() -> None:
    tarpit = Tarpit(Rate(1, 0.1), seconds=2.0, room=10)
    assert [tarpit.enter(address, 0.0) for address in (HERE, HERE, THERE, THERE)] == [0.0, 2.0, 0.0, 2.0]


def test_after_a_while_refusals_are_told_at_once_again() -> None:
    tarpit = Tarpit(Rate(1, 0.1), seconds=2.0, room=10)
    assert [tarpit.enter(HERE, now) for now in (0.0, 0.05, 0.2)] == [0.0, 2.0, 0.0]


def test_who_left_makes_room() -> None:
    tarpit = Tarpit(Rate(1, 100.0), seconds=2.0, room=1)
    assert [tarpit.enter(HERE, 0.0) for _ in range(3)] == [0.0, 2.0, 0.0]
    tarpit.leave()
    assert tarpit.enter(HERE, 0.0) == 2.0


@given(st.lists(st.tuples(st.sampled_from([HERE, THERE, None]), st.booleans(), st.floats(0, 0.2))), st.integers(0, 5))
def test_never_more_are_held_than_there_is_room_for(steps: list[tuple[object, bool, float]], room: int) -> None:
    tarpit, held, now = Tarpit(Rate(2, 0.1), room=room), 0, 0.0
    for address, leaves, later in steps:
        now += later
        if leaves and held:
            tarpit.leave()
            held -= 1
        elif tarpit.enter(address, now):  # type: ignore[arg-type]
            held += 1
        assert held <= room
