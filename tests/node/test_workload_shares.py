"""Whose connections there are, whoever dials in whatever order: a share for each pod, and none kept from the others."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from node.workload.shares import Admit, Bounds, TurnAway, admission

BOUNDS = Bounds(pod=3, node=8)
PODS = st.sampled_from(["", *"abcdefghijkl"])


def after(dialling: list[str]) -> dict[str, str]:
    """Who is there when all have dialled and none has hung up."""
    present = dict[str, str]()
    for number, pod in enumerate(dialling):
        match admission(present, pod, BOUNDS):
            case Admit(instead):
                if instead is not None:
                    del present[instead]
                present[f"{number}"] = pod
            case TurnAway():
                pass
    return present


@given(st.lists(PODS, max_size=80))
def test_neither_a_pods_share_nor_the_nodes_is_ever_exceeded(dialling: list[str]) -> None:
    present = after(dialling)
    assert len(present) <= BOUNDS.node
    assert all(count <= BOUNDS.pod for count in Counter(present.values()).values())


@given(st.lists(PODS, max_size=80), PODS)
def test_a_pod_is_turned_away_only_while_nobody_has_much_more_than_it(dialling: list[str], pod: str) -> None:
    present = after(dialling)
    counted = Counter(present.values())
    match admission(present, pod, BOUNDS):
        case TurnAway("PodConnections"):
            assert counted[pod] == BOUNDS.pod
        case TurnAway("NodeConnections"):
            assert len(present) == BOUNDS.node
            assert max(counted.values()) <= counted[pod] + 1
        case Admit(None):
            assert len(present) < BOUNDS.node
        case Admit(str(instead)):
            assert counted[present[instead]] == max(counted.values()) >= counted[pod] + 2


@given(st.lists(PODS, min_size=40, max_size=80), st.integers(1, 20))
def test_who_were_turned_away_or_sent_off_and_dial_again_send_nobody_off_for_ever(
    dialling: list[str], rounds: int
) -> None:
    pods = sorted(set(dialling))
    settled = after(dialling + pods * 20)
    for pod in pods * rounds:
        match admission(settled, pod, BOUNDS):
            case Admit(str(_)):
                raise AssertionError("it never ends")
            case _:
                pass


def test_the_youngest_of_the_greediest_goes() -> None:
    present = {"1": "a", "2": "b", "3": "b", "4": "b", "5": "c", "6": "c", "7": "a", "8": "d"}
    assert admission(present, "e", BOUNDS) == Admit("4")
    assert admission(present, "b", BOUNDS) == TurnAway("PodConnections")
    assert admission(present, "c", BOUNDS) == TurnAway("NodeConnections")
