from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from installation.departure import carriers, clinging
from installation.survey import Namespace
from installation.workloads import Workload, renewal, workload


def pod(name: str, *, injected: bool = True, owner: tuple[str, str] | None = None, phase: str = "Running") -> Any:
    metadata: dict[str, Any] = {"name": name, "namespace": "shop"}
    if injected:
        metadata["annotations"] = {"proa.dev/status": "{}"}
    if owner:
        kind, owner_name = owner
        metadata["ownerReferences"] = [{"kind": kind, "name": owner_name, "controller": True}]
        metadata["labels"] = {"pod-template-hash": "7d4f"}
    return {"metadata": metadata, "status": {"phase": phase}}


@pytest.mark.parametrize(
    ("owner", "kind", "how"),
    [
        (None, "Pod", "delete pod web"),
        (("ReplicaSet", "web-7d4f"), "Deployment", "rollout restart deployment/web"),
        (("ReplicaSet", "web"), "ReplicaSet", "delete them"),
        (("StatefulSet", "web"), "StatefulSet", "rollout restart statefulset/web"),
        (("DaemonSet", "web"), "DaemonSet", "rollout restart daemonset/web"),
        (("Job", "web"), "Job", "delete job web"),
    ],
)
def test_each_kind_of_workload_is_named_with_the_way_to_make_its_pods_again(
    owner: tuple[str, str] | None, kind: str, how: str
) -> None:
    found = workload(pod("web", owner=owner))
    assert found == Workload("shop", kind, "web")
    assert how in renewal(found)


def test_pods_with_sidecars_are_told_of_by_their_workload() -> None:
    pods = [pod(name, owner=("ReplicaSet", "web-7d4f")) for name in ("a", "b")]
    pods += [pod("bare", injected=False), pod("done", phase="Succeeded"), pod("alone")]
    assert [(str(each.owner), each.pods) for each in carriers(pods)] == [
        ("Deployment shop/web", 2),
        ("Pod shop/alone", 1),
    ]


@given(st.lists(st.tuples(st.booleans(), st.sampled_from(["Running", "Succeeded", "Pending", "Failed"]))))
def test_every_running_pod_with_a_sidecar_is_counted_once(pods: list[tuple[bool, str]]) -> None:
    made = [pod(f"p{number}", injected=injected, phase=phase) for number, (injected, phase) in enumerate(pods)]
    expected = sum(injected and phase in ("Running", "Pending") for injected, phase in pods)
    assert sum(each.pods for each in carriers(made)) == expected


def test_the_namespaces_of_a_revision_are_those_that_name_it() -> None:
    def space(name: str, *, going: bool = False, **labels: str) -> Namespace:
        return Namespace(name, {f"proa.dev/{key}": value for key, value in labels.items()}, {}, terminating=going)

    spaces = [
        space("a", inject="enabled"),
        space("b", inject="disabled"),
        space("c", inject="enabled", rev="blue"),
        space("d", rev="blue"),
        space("proa-system", inject="enabled"),
        space("e"),
        space("f", going=True, inject="enabled"),
        space("g", going=True, rev="blue"),
    ]
    assert clinging(spaces, "") == ("a",)
    assert clinging(spaces, "blue") == ("c", "d")
