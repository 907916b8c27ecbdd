"""How pods stand, and what follows."""

from hypothesis import given
from hypothesis import strategies as st

from kube.resources import Key
from node.cni import Owner
from node.pods import Pod, owns, pod
from node.standing import (
    NAMES,
    PATIENCE,
    WAITING,
    Bare,
    Differing,
    Programmed,
    Repaired,
    Standing,
    bare,
    counts,
    ours,
    remaining,
    to_be_deleted,
    unsettled,
    word,
)
from proa.capture.annotation import ANNOTATION

WEB = {
    "metadata": {"namespace": "shop", "name": "web", "uid": "u-1", "annotations": {ANNOTATION: "{}"}},
    "spec": {"nodeName": "n"},
    "status": {"phase": "Running"},
}
PODS = st.lists(
    st.builds(
        lambda number, wanted, over: Pod(Key("shop", f"p-{number}"), f"u-{number}", "web", "n", "", wanted, over=over),
        st.integers(0, 8),
        st.sampled_from([None, "{}"]),
        st.booleans(),
    ),
    unique_by=lambda each: each.uid,
)
STANDINGS = st.dictionaries(
    st.integers(0, 8).map("u-{}".format),
    st.sampled_from([Programmed(), Repaired(), Differing("x"), Bare("y", 1)]),
)


def test_a_pod_is_read_from_the_api_servers() -> None:
    assert pod(WEB) == Pod(Key("shop", "web"), "u-1", "", "n", "", "{}", over=False)


def test_what_the_kubelet_or_the_node_itself_runs_is_none_of_ours() -> None:
    annotations = {ANNOTATION: "{}", "kubernetes.io/config.mirror": "hash"}
    static = pod({**WEB, "metadata": {**WEB["metadata"], "annotations": annotations}})
    assert static.wanted is None
    assert pod({**WEB, "spec": {"hostNetwork": True}}).wanted is None
    assert pod({**WEB, "metadata": {"namespace": "shop", "name": "web"}}).wanted is None


def test_an_empty_annotation_is_one() -> None:
    assert pod({**WEB, "metadata": {**WEB["metadata"], "annotations": {ANNOTATION: ""}}}).wanted == ""


def test_a_pod_is_its_uid_and_a_static_one_its_hash() -> None:
    assert owns(pod(WEB), Owner("shop", "web", "u-1"))
    assert not owns(pod(WEB), Owner("shop", "web", "u-2"))
    assert not owns(pod(WEB), Owner("shop", "web", ""))
    assert not owns(pod(WEB), Owner("till", "web", "u-1"))
    mirror = {**WEB, "metadata": {**WEB["metadata"], "annotations": {"kubernetes.io/config.mirror": "hash"}}}
    assert owns(pod(mirror), Owner("shop", "web", "hash"))


@given(PODS, STANDINGS)
def test_every_pod_that_is_to_be_intercepted_is_counted_once(pods: list[Pod], standings: dict[str, Standing]) -> None:
    found = counts(pods, standings)
    assert sum(found.values()) == len(ours(pods))
    assert found.keys() <= set(NAMES)
    assert found.get(WAITING, 0) + found.get("bare", 0) == len(unsettled(pods, standings))


@given(PODS, STANDINGS)
def test_what_is_known_of_a_pod_goes_with_it(pods: list[Pod], standings: dict[str, Standing]) -> None:
    assert remaining(standings, pods).keys() == standings.keys() & {each.uid for each in pods}


def test_people_are_told_once_and_of_nothing_that_passes() -> None:
    standing, told = bare(None, "no"), 0
    for _ in range(10):
        told += word(standing) is not None
        assert to_be_deleted(standing, "delete") == (standing.failures >= PATIENCE)
        assert not to_be_deleted(standing, "report")
        standing = bare(standing, "no")
    assert told == 1
    assert word(Programmed()) is None
    assert (found := word(Repaired())) is not None
    assert found.severity == "Normal"
    assert (found := word(Differing("a line"))) is not None
    assert "a line" in found.message
