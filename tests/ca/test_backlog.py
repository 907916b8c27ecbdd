"""What is due comes out in order, once, and nothing is held that does not fit."""

from hypothesis import given
from hypothesis import strategies as st

from ca.backlog import FIRST_RETRY, LONGEST_RETRY, PATIENCE, Backlog
from kube.resources import Key

A, B, C = (Key("shop", name) for name in "abc")


def test_nothing_is_taken_before_it_is_due() -> None:
    backlog = Backlog()
    backlog.offer(A, 3.0)
    assert backlog.take(2.9) is None
    assert backlog.take(3.0) == A
    assert backlog.take(3.0) is None


def test_an_earlier_moment_wins_over_a_later_one() -> None:
    backlog = Backlog()
    backlog.offer(A, 5.0)
    backlog.offer(A, 9.0)
    assert backlog.next_due == 5.0
    backlog.offer(A, 1.0)
    assert (backlog.next_due, backlog.take(1.0), backlog.take(99.0)) == (1.0, A, None)


def test_what_has_its_answer_is_never_taken() -> None:
    backlog = Backlog()
    backlog.offer(A, 0.0)
    backlog.forget(A)
    assert (backlog.take(1.0), backlog.next_due, len(backlog)) == (None, None, 0)


def test_a_full_backlog_takes_no_more_and_goes_on_with_what_it_has() -> None:
    backlog = Backlog(capacity=2)
    assert [backlog.offer(key, 0.0) for key in (A, B, C, A)] == [True, True, False, True]
    assert {backlog.take(0.0), backlog.take(0.0)} == {A, B}
    assert backlog.offer(C, 0.0)


def test_a_failure_is_tried_again_at_growing_distance_up_to_a_minute() -> None:
    backlog = Backlog()
    pauses = [backlog.retry(A, 0.0, jitter=0.0) for _ in range(10)]
    assert pauses[:4] == [FIRST_RETRY, 1.0, 2.0, 4.0]
    assert pauses[-1] == LONGEST_RETRY
    backlog.forget(A)
    assert backlog.retry(A, 0.0, jitter=1.0) == FIRST_RETRY / 2


def test_what_is_hastened_is_due_at_once_be_it_waiting_or_failed() -> None:
    backlog = Backlog()
    backlog.offer(A, 10.0)
    backlog.retry(B, 0.0, jitter=0.0)
    backlog.hasten(0.0)
    assert {backlog.take(0.0), backlog.take(0.0)} == {A, B}
    assert backlog.take(99.0) is None


def test_what_can_wait_gives_up_its_place_to_what_cannot() -> None:
    backlog = Backlog(capacity=2)
    backlog.offer(A, 0.0, patient=True)
    backlog.offer(B, 0.0, patient=True)
    assert not backlog.offer(C, 0.0, patient=True)
    assert backlog.offer(C, 0.0)
    assert (len(backlog), B in backlog) == (2, False)
    assert [backlog.take(0.0), backlog.take(0.0)] == [C, A]


@given(
    st.lists(
        st.tuples(st.integers(0, 200), st.booleans(), st.integers(0, 90)),
        max_size=60,
    )
)
def test_what_can_wait_is_taken_before_what_cannot_only_after_a_minute(offers: list[tuple[int, bool, int]]) -> None:
    """Offers by their number, one after the other; between two of them time goes on and one is taken."""
    backlog, waiting, now = Backlog(), dict[Key, tuple[float, bool]](), 0.0
    for number, (ahead, patient, pause) in enumerate(offers):
        key = Key("shop", str(number))
        backlog.offer(key, now + ahead, patient=patient)
        waiting[key] = (now + ahead, patient)
        now += pause
        due = {each: known for each, known in waiting.items() if known[0] <= now}
        taken = backlog.take(now)
        if taken is None:
            assert due == {}
            continue
        since, could_wait = waiting.pop(taken)
        others = [moment for moment, patience in due.values() if not patience]
        assert not could_wait or not others or now - since >= PATIENCE
        alike = [moment for moment, patience in due.values() if patience == could_wait]
        assert since == min(alike), "among its like the one that has been due longest"
    left = list[Key]()
    while (key := backlog.take(now + 1000)) is not None:
        left.append(key)
    assert set(left) == set(waiting)


@given(
    st.lists(
        st.tuples(
            st.sampled_from([Key(namespace, name) for namespace in "xy" for name in "abc"]),
            st.integers(0, 20),
            st.booleans(),
        ),
        max_size=60,
    )
)
def test_each_key_comes_out_once_at_its_earliest_moment_unless_it_was_forgotten(
    steps: list[tuple[Key, int, bool]],
) -> None:
    backlog, expected = Backlog(), dict[Key, float]()
    for key, due, forgotten in steps:
        if forgotten:
            backlog.forget(key)
            expected.pop(key, None)
        else:
            backlog.offer(key, due)
            expected[key] = min(due, expected.get(key, due))
    assert backlog.next_due == min(expected.values(), default=None)
    taken = list[tuple[float, Key]]()
    for now in range(21):
        while (key := backlog.take(now)) is not None:
            taken.append((now, key))
    assert sorted(taken) == sorted((due, key) for key, due in expected.items())
    assert [due for due, _ in taken] == sorted(due for due, _ in taken)
