import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa.containers import SidecarKind
from proa.errors import Invalid
from webhook.kinds import After, Before, First, Last, Place
from webhook.pod import Pod
from webhook.position import AHEAD, Position, position

NATIVE, REGULAR = SidecarKind


def pod_with(*init: str, apps: int = 2) -> Pod:
    containers = [{"name": f"app-{number}"} for number in range(apps)]
    listed = [{"name": name} for name in init]
    return msgspec.convert({"spec": {"containers": containers, "initContainers": listed}}, Pod)


@pytest.mark.parametrize(
    ("place", "index"), [(None, 0), (First(), 0), (Last(), 2), (Before("b"), 1), (After("a"), 1), (After("b"), 2)]
)
def test_a_native_sidecar_stands_behind_its_interception_first_unless_another_place_is_asked_for(
    place: Place | None, index: int
) -> None:
    expected = Position(f"/spec/initContainers/{index}", f"/spec/initContainers/{index + 1}", early=index, held=True)
    assert position(pod_with("a", "b"), NATIVE, place, hold=False) == expected


def test_a_regular_sidecar_is_last_and_its_interception_behind_the_pods_own_init_containers() -> None:
    found = position(pod_with("a", "b"), REGULAR, None, hold=False)
    assert found == Position("/spec/initContainers/2", "/spec/containers/2", early=2, held=False)


def test_a_regular_sidecar_that_holds_the_app_is_the_first_container() -> None:
    found = position(pod_with("a"), REGULAR, None, hold=True)
    assert found == Position("/spec/initContainers/1", "/spec/containers/0", early=1, held=True)


def test_a_place_beside_a_container_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(Invalid) as refused:
        position(pod_with("a", "b"), NATIVE, Before("x"), hold=False)
    assert str(refused.value) == (
        "metadata.annotations['proa.dev/place']: found 'x', allowed: the name of an init container ('a', 'b')"
    )
    with pytest.raises(Invalid, match="the pod has none"):
        position(pod_with(), NATIVE, After("x"), hold=False)


def test_without_init_containers_every_place_is_the_same() -> None:
    assert {position(pod_with(), NATIVE, place, hold=False) for place in (None, First(), Last())} == {AHEAD}


names = st.lists(st.sampled_from("abcde"), unique=True, min_size=1)


@given(names, st.data())
def test_before_the_first_is_first_and_behind_the_last_is_last(init: list[str], data: st.DataObject) -> None:
    pod, kind = pod_with(*init), data.draw(st.sampled_from(SidecarKind))
    assert position(pod, kind, Before(init[0]), hold=False) == position(pod, kind, First(), hold=False)
    assert position(pod, kind, After(init[-1]), hold=False) == position(pod, kind, Last(), hold=False)
