from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from jsonpatch import JsonPatch

from installation.rehearsal import Bare, Injected, rehearsal_pod, rehearsed, stage
from installation.survey import Namespace, Unread
from proa.mesh import MeshConfiguration
from webhook.decision import Subject
from webhook.decoding import converted
from webhook.injection import injection
from webhook.pod import Pod
from webhook.sidecar import sidecar


def space(name: str, **labels: str) -> Namespace:
    return Namespace(
        name, {key.replace("__", "/").replace("_", "."): value for key, value in labels.items()}, {}, terminating=False
    )


def test_the_rehearsed_pod_comes_back_injected_or_bare() -> None:
    pod: Any = rehearsal_pod("default")
    assert rehearsed(pod) == Bare()
    configuration = MeshConfiguration()
    planned = injection(
        Subject(converted(pod, Pod, ""), "default", {}, configuration), sidecar(configuration), lambda: pod
    )
    patched = JsonPatch(msgspec.json.decode(msgspec.json.encode(planned.operations))).apply(pod)
    assert rehearsed(patched) == Injected()


def test_it_is_rehearsed_in_the_default_namespace_where_that_is_the_revisions() -> None:
    assert stage("", (space("a"), space("default"))) == "default"
    assert stage("", (space("a"), space("default", proa_dev__rev="blue"))) == "a"
    assert stage("blue", (space("a", proa_dev__rev="blue"), space("default"))) == "a"


def test_a_revision_that_no_namespace_names_cannot_be_rehearsed() -> None:
    assert isinstance(stage("blue", (space("default"),)), Unread)
    assert stage("", Unread("forbidden")) == Unread("forbidden")


def test_it_is_not_rehearsed_where_no_sidecar_gets_in() -> None:
    strict = Namespace("default", {"pod-security.kubernetes.io/enforce": "baseline"}, {}, terminating=False)
    assert stage("", (strict, space("kube-system"), space("shop"))) == "shop"


@given(st.lists(st.builds(space, st.text("abc", min_size=1), proa_dev__rev=st.sampled_from(["", "blue"]))))
def test_the_stage_is_always_one_of_the_revisions_own(spaces: list[Namespace]) -> None:
    match stage("blue", tuple(spaces)):
        case Unread():
            assert all(each.labels["proa.dev/rev"] != "blue" for each in spaces)
        case name:
            assert any(each.name == name and each.labels["proa.dev/rev"] == "blue" for each in spaces)
