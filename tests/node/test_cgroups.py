"""Whose process one is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.cgroups import Process, pod_uid, sandbox, started

UID = "0a1b2c3d-0000-4000-8000-00000000000f"
OTHER = "ffffffff-0000-4000-8000-00000000000f"
SLICE = UID.replace("-", "_")


@pytest.mark.parametrize(
    "path",
    [
        f"/kubepods/burstable/pod{UID}/3f1c",
        f"/kubepods/pod{UID}",
        f"/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod{SLICE}.slice/cri-containerd-3f1c.scope",
        f"/kubepods.slice/kubepods-pod{SLICE}.slice:cri-containerd:3f1c",
        f"/../../kubepods-burstable-pod{SLICE}.slice/crio-3f1c.scope",
        f"/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod{SLICE}.slice/x.scope",
        f"/kubepods/burstable/pod{UID}/3f1c/kubepods/pod{OTHER}/nested",
    ],
)
def test_a_pod_is_known_by_its_group_whichever_driver_made_it(path: str) -> None:
    assert pod_uid(f"0::{path}\n") == UID


@pytest.mark.parametrize(
    "path", ["/", "/system.slice/containerd.service", f"/user/xpod{UID}/a", f"/kubepods/pod{UID}x"]
)
def test_what_is_no_pods_is_nobodys(path: str) -> None:
    assert pod_uid(f"0::{path}\n") == ""


@pytest.mark.parametrize(
    "unit",
    [
        "/user.slice/user-1000.slice/user@1000.service",
        "/../../../../user.slice/user-1000.slice/user@1000.service/app.slice",
        "/user.slice/user-1000.slice/session-3.scope",
        "/system.slice/somebodys.service/kubepods.slice",
    ],
)
@pytest.mark.parametrize("name", [f"pod{UID}", f"kubepods-burstable-pod{SLICE}.slice", f"kubepods/pod{UID}"])
def test_a_user_of_the_node_makes_no_group_that_is_a_pods(unit: str, name: str) -> None:
    assert pod_uid(f"0::{unit}/{name}/x\n") == ""


def test_every_hierarchy_that_knows_a_pod_has_to_know_the_same() -> None:
    one, two = f"/kubepods/pod{UID}/c", f"/kubepods/pod{OTHER}/c"
    assert pod_uid(f"5:cpu,cpuacct:{one}\n4:pids:{one}\n0::/\n") == UID
    assert pod_uid(f"5:cpu,cpuacct:{one}\n4:pids:{two}\n") == ""


@given(st.text(st.characters(exclude_characters="\n\0"), max_size=40))
def test_no_group_inside_a_pods_own_makes_a_process_anothers(inner: str) -> None:
    assert pod_uid(f"0::/kubepods/pod{UID}/{inner}") == UID


@given(st.text(st.characters(exclude_characters="\n\0"), max_size=15), st.integers(0, 2**60))
def test_a_process_may_be_called_anything(name: str, ticks: int) -> None:
    fields = " ".join(["S", "1", *["0"] * 17, str(ticks), "9"])
    assert started(f"17 ({name}) {fields}") == ticks


def test_a_pods_network_is_its_first_processs() -> None:
    assert sandbox([Process(9, 100), Process(700, 50), Process(30, 50)]) == Process(30, 50)
