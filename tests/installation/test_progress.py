from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from installation.deployments import Deployment, deployment
from installation.objects import objects
from installation.options import Options
from installation.progress import Wanted, outstanding, unproved, wanted
from installation.rehearsal import Bare, Injected, Rejected
from installation.survey import Entry, Unread

TRUSTED = Entry("proa-webhook", "a", {}, {}, "proa-system/proa-webhook", "eA==")
BARE = Entry("proa-webhook", "a", {}, {}, "proa-system/proa-webhook", "")


def raw(*, generation: int = 2, **status: Any) -> Any:
    reported = {"observedGeneration": 2, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2}
    return {
        "metadata": {"name": "web", "generation": generation, "labels": {"app.kubernetes.io/version": "0.1.0"}},
        "spec": {"replicas": 2, "selector": {"matchLabels": {"app": "web"}}},
        "status": reported | status,
    }


def pod(*containers: Any, **labels: str) -> Any:
    return {"metadata": {"name": "web-1", "labels": labels}, "status": {"containerStatuses": list(containers)}}


def test_a_deployment_is_ready_when_every_pod_of_its_present_template_is() -> None:
    assert deployment(raw(), []).ready
    assert deployment(raw(), []).version == "0.1.0"
    assert not deployment(raw(updatedReplicas=1), []).ready
    assert not deployment(raw(availableReplicas=1), []).ready


def test_a_deployment_is_not_ready_while_a_pod_of_before_counts_for_one_that_is_not() -> None:
    """Two new pods of which one is not available yet, and an old one: three pods, two of them available."""
    rolling = deployment(raw(replicas=3), [])
    assert not rolling.ready
    assert rolling.standing == "1 of 2 pods ready, 1 of before still there"
    assert deployment(raw(), []).standing == "2 of 2 pods ready"


def test_a_deployment_whose_change_was_not_seen_yet_is_not_ready() -> None:
    assert not deployment(raw(generation=3), []).ready


def test_a_pod_that_waits_says_why_and_what_it_said_when_it_ended() -> None:
    crashing = {
        "name": "app",
        "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 40s"}},
        "lastState": {"terminated": {"exitCode": 2, "reason": "Error", "message": "one\nno configuration\n"}},
    }
    assert deployment(raw(), [pod(crashing, app="web")]).waiting == ("web-1: app: CrashLoopBackOff: no configuration",)
    crashing["lastState"]["terminated"].pop("message")
    assert deployment(raw(), [pod(crashing, app="web")]).waiting == (
        "web-1: app: CrashLoopBackOff: it ended with 2 (Error)",
    )
    pulling = {"name": "app", "state": {"waiting": {"reason": "ErrImagePull", "message": "not found"}}}
    assert deployment(raw(), [pod(pulling, app="web")]).waiting == ("web-1: app: ErrImagePull: not found",)


def test_pods_of_another_deployment_do_not_speak_for_it() -> None:
    running = {"name": "app", "ready": False, "state": {"running": {}}}
    assert deployment(raw(), [pod(running, app="other")]).waiting == ()
    assert deployment(raw(), [pod(running, app="web")]).waiting == ("web-1: app: running, not ready",)


def test_a_pod_that_cannot_be_scheduled_says_why() -> None:
    unscheduled = pod(app="web")
    unscheduled["status"]["conditions"] = [
        {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes are available"}
    ]
    assert deployment(raw(), [unscheduled]).waiting == ("web-1: Unschedulable: 0/1 nodes are available",)


def test_what_an_installation_starts_is_read_off_its_objects() -> None:
    assert wanted(objects(Options(revision="blue")), "default") == Wanted(
        frozenset({"proa-ca", "proa-webhook-blue"}), "proa-webhook-blue", "default"
    )


def test_an_installation_waits_until_a_pod_would_be_injected_where_that_can_be_tried() -> None:
    assert unproved(Injected()) == unproved(Unread("no namespace")) == ()
    assert unproved(Bare()) == ("a pod that asks for a sidecar gets none yet",)
    assert unproved(Rejected("connection refused")) == ("a pod that asks for a sidecar is refused: connection refused",)


def test_an_installation_waits_for_pods_and_for_trust() -> None:
    ready = deployment(raw(), [])
    assert outstanding(frozenset({"web"}), (ready,), (TRUSTED,)) == ()
    assert outstanding(frozenset({"web"}), (ready,), (BARE,)) == ("the registration has no caBundle yet",)
    assert outstanding(frozenset({"web"}), (ready,), ()) == ("the registration is not there yet",)
    assert outstanding(frozenset({"web"}), (), (TRUSTED,)) == ("web: not there yet",)


def test_it_waits_for_what_all_revisions_share_where_that_is_there_and_for_no_other_revision() -> None:
    own, beginning = deployment(raw(), []), deployment(raw(availableReplicas=0), [])
    authority, other = (replace(beginning, name=name) for name in ("proa-ca", "proa-webhook-other"))
    said = outstanding(frozenset({"web"}), (own, authority, other), (TRUSTED,))
    assert said == ("proa-ca: 0 of 2 pods ready",)


counts = st.integers(0, 3)
states = st.builds(
    Deployment,
    st.just("web"),
    wanted=counts,
    updated=counts,
    available=counts,
    total=counts,
    observed=st.booleans(),
    version=st.just(""),
)


@given(states)
def test_it_waits_exactly_while_a_deployment_is_not_ready(found: Deployment) -> None:
    assert bool(outstanding(frozenset({"web"}), (found,), (TRUSTED,))) is not found.ready


def test_a_daemon_set_is_ready_when_each_of_its_nodes_has_a_pod_of_its_present_template_that_is() -> None:
    counts = {"desiredNumberScheduled": 2, "currentNumberScheduled": 2, "updatedNumberScheduled": 2}
    of_nodes = {**raw(numberAvailable=2, **counts), "kind": "DaemonSet"}
    assert deployment(of_nodes, []).ready
    assert not deployment({**raw(numberAvailable=1, **counts), "kind": "DaemonSet"}, []).ready
    assert wanted([{"kind": "DaemonSet", "metadata": {"name": "proa-node"}}], "").deployments == {"proa-node"}
