"""Whether a node has room for its sidecars' inotify instances, and what is said where it has not."""

from hypothesis import given
from hypothesis import strategies as st

from init.inotify import INSTANCES, warning


def test_the_usual_limit_is_room_for_sixteen_sidecars() -> None:
    assert warning("128\n").startswith("this node has room for 16 sidecars")


@given(st.integers(110 * INSTANCES, 2**31))
def test_a_node_with_room_for_all_its_pods_is_not_spoken_of(limit: int) -> None:
    assert warning(f"{limit}\n") == ""


@given(st.integers(0, 110 * INSTANCES - 1))
def test_less_room_is_told_with_the_limit_and_the_remedy(limit: int) -> None:
    said = warning(f"{limit}\n")
    assert f"a user {limit} inotify instances" in said
    assert "Raise fs.inotify.max_user_instances" in said


def test_a_kernel_that_does_not_tell_its_limit_is_not_judged() -> None:
    assert warning("") == ""
