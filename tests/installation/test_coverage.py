from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from installation.coverage import Coverage, Revision, State, coverage, groups
from installation.survey import Namespace
from proa import names
from proa.mesh import MeshConfiguration, mesh_configuration
from webhook.customising import fingerprint as fingerprint_of
from webhook.sidecar import sidecar

CONFIGURATION = MeshConfiguration()
SIDECAR = sidecar(CONFIGURATION)
DEFAULT = Revision(CONFIGURATION, SIDECAR.fingerprint, since="2026-11-01T00:00:00Z")
EARLY, LATE, LATEST = "2026-10-01T00:00:00Z", "2026-11-02T00:00:00Z", "2026-11-03T00:00:00Z"


def namespace(labelled: str = EARLY, **labels: str) -> Namespace:
    spelled = {f"proa.dev/{key.replace('_', '-')}": value for key, value in labels.items()}
    return Namespace("shop", spelled, {}, terminating=False, labelled=labelled)


def pod(name: str = "web", created: str = LATE, fingerprint: str | None = None, **more: Any) -> Any:
    """An ordinary pod; with a *fingerprint*, one that was injected."""
    spec: dict[str, Any] = {"containers": [{"name": "app"}]}
    annotations: dict[str, str] = {}
    if fingerprint is not None:
        spec["initContainers"] = [{"name": "proa-init"}, {"name": "proa-proxy"}]
        annotations["proa.dev/status"] = (
            f'{{"version":2,"proa":"0.1.0","fingerprint":"{fingerprint}",'
            '"initContainers":["proa-init","proa-proxy"],"volumes":[],"annotations":["proa.dev/status"]}'
        )
    metadata = {"name": name, "namespace": "shop", "creationTimestamp": created, "annotations": annotations}
    return {"metadata": metadata | more.pop("metadata", {}), "spec": spec | more.pop("spec", {}), **more}


def covered(space: Namespace, *pods: Any, revisions: dict[str, Revision] | None = None) -> Coverage:
    (found,) = coverage([space], pods, {"": DEFAULT} if revisions is None else revisions)
    return found


def test_a_pod_with_the_sidecar_of_the_configuration_in_force_is_injected() -> None:
    found = covered(namespace(inject="enabled"), pod(fingerprint=SIDECAR.fingerprint))
    assert [(each.state, each.reason) for each in found.pods] == [(State.INJECTED, "")]
    assert found.sound


def test_a_pod_with_the_sidecar_of_another_configuration_is_outdated() -> None:
    found = covered(namespace(inject="enabled"), pod(fingerprint="another"))
    assert [each.state for each in found.pods] == [State.OUTDATED]
    assert not found.sound


def test_a_pod_is_outdated_when_a_template_that_it_chose_changed_or_went() -> None:
    def state(mesh: str) -> str:
        configuration = mesh_configuration(mesh)
        revision = Revision(configuration, sidecar(configuration).fingerprint, since="2026-11-01T00:00:00Z")
        (found,) = covered(namespace(inject="enabled"), templated, revisions={"": revision}).pods
        return found.state

    one = "templates: {traced: {spec: {containers: [{name: agent, image: 'agent:1'}]}}, other: {}}"
    configuration = mesh_configuration(one)
    mark = fingerprint_of({names.TEMPLATES: "traced"}, configuration, sidecar(configuration).fingerprint)
    templated = pod(fingerprint=mark)
    templated["metadata"]["annotations"][names.TEMPLATES] = "traced"
    assert state(one) == State.INJECTED
    assert state(one.replace("other: {}", "other: {spec: {hostname: x}}")) == State.INJECTED
    assert state(one.replace("agent:1", "agent:2")) == State.OUTDATED
    assert state("templates: {other: {}}") == State.OUTDATED


def test_a_pod_of_another_versions_record_is_outdated() -> None:
    old = pod(fingerprint="x")
    old["metadata"]["annotations"]["proa.dev/status"] = '{"version":1}'
    (found,) = covered(namespace(inject="enabled"), old).pods
    assert (found.state, found.reason) == (State.OUTDATED, "another version of Proa injected it")


def test_nothing_is_called_outdated_where_the_configuration_is_not_known() -> None:
    unknown = {"": Revision(CONFIGURATION, "", since="")}
    found = covered(namespace(inject="enabled"), pod(fingerprint="another"), revisions=unknown)
    assert [each.state for each in found.pods] == [State.INJECTED]


def test_a_pod_older_than_its_namespaces_label_is_missing_its_sidecar_because_of_that() -> None:
    (found,) = covered(namespace(inject="enabled", labelled=LATEST), pod(created=LATE)).pods
    assert (found.state, found.reason) == (State.MISSING, "it is older than the label of its namespace")


def test_a_pod_older_than_the_registration_is_missing_its_sidecar_because_of_that() -> None:
    (found,) = covered(namespace(inject="enabled"), pod(created="2026-10-15T00:00:00Z")).pods
    assert (found.state, found.reason) == (State.MISSING, "it is older than the registration")


def test_a_pod_that_an_open_namespace_let_in_bare_is_missing_its_sidecar_because_of_that() -> None:
    found = covered(namespace(inject="enabled", on_failure="open"), pod())
    assert found.on_failure == "open"
    assert [each.state for each in found.pods] == [State.MISSING]
    assert "proa.dev/on-failure=open" in found.pods[0].reason


def test_a_namespace_that_names_no_installed_revision_says_so() -> None:
    found = covered(namespace(inject="enabled", rev="blue"), pod())
    assert found.faults == ("it asks for revision blue, which is not installed: new pods get no sidecar",)
    assert [each.state for each in found.pods] == [State.MISSING]
    assert not found.sound


def test_a_namespace_that_needs_the_default_revision_says_so_where_there_is_none() -> None:
    found = covered(namespace(inject="enabled"), revisions={"blue": DEFAULT})
    assert found.faults == ("it asks for the default revision, which is not installed: new pods get no sidecar",)


def test_a_pod_is_held_to_the_revision_that_istios_labels_choose() -> None:
    configuration = mesh_configuration("vocabulary: istio")
    istio = Revision(configuration, "blues", since=DEFAULT.since)
    space = Namespace("shop", {"istio.io/rev": "blue"}, {}, terminating=False, labelled=EARLY)
    found = covered(space, pod(fingerprint="blues"), pod("late"), revisions={"": DEFAULT, "blue": istio})
    assert (found.revision, found.faults) == ("blue", ())
    assert [each.state for each in found.pods] == [State.INJECTED, State.MISSING]


def test_a_label_that_is_neither_is_a_fault_and_its_pods_would_be_refused() -> None:
    found = covered(namespace(inject="yes"), pod())
    assert len(found.faults) == 1
    assert [each.state for each in found.pods] == [State.REFUSED]


def test_a_pod_that_the_decision_leaves_is_left_for_its_reason() -> None:
    (found,) = covered(namespace(inject="enabled"), pod(spec={"hostNetwork": True})).pods
    assert found.state is State.LEFT
    assert "hostNetwork" in found.reason


def test_pods_that_have_ended_or_are_going_are_not_counted() -> None:
    ended = pod(status={"phase": "Succeeded"})
    going = pod(metadata={"deletionTimestamp": LATEST})
    assert covered(namespace(inject="enabled"), ended, going).pods == ()


def test_namespaces_without_anything_of_proa_are_not_shown() -> None:
    assert coverage([namespace(), namespace(inject="disabled")], [pod()], {"": DEFAULT}) == ()


def test_a_namespace_with_one_pod_that_opts_in_is_shown() -> None:
    found = covered(namespace(), pod(metadata={"labels": {"proa.dev/inject": "enabled"}}))
    assert (found.wish, found.count(State.MISSING)) == ("", 1)


def test_pods_of_one_workload_that_are_alike_are_told_of_together() -> None:
    owner = {"ownerReferences": [{"kind": "ReplicaSet", "name": "web-7d4f", "controller": True}]}
    hashed = {**owner, "labels": {"pod-template-hash": "7d4f"}}
    pods = [pod(name, fingerprint="old", metadata=hashed) for name in ("a", "b")] + [pod("c", fingerprint="old")]
    found = groups(covered(namespace(inject="enabled"), *pods), State.OUTDATED)
    assert [(str(each.owner), each.count) for each in found] == [("Deployment shop/web", 2), ("Pod shop/c", 1)]


@given(
    st.lists(st.tuples(st.booleans(), st.booleans(), st.sampled_from([None, "x", SIDECAR.fingerprint]))),
    st.sampled_from(["enabled", "disabled", "yes", None]),
)
def test_every_running_pod_has_exactly_one_state(pods: list[tuple[bool, bool, str | None]], wish: str | None) -> None:
    space = namespace() if wish is None else namespace(inject=wish)
    made = [
        pod(f"p{number}", fingerprint=mark, spec={"hostNetwork": host}, metadata={"labels": {"x": str(label)}})
        for number, (host, label, mark) in enumerate(pods)
    ]
    for found in coverage([space], made, {"": DEFAULT}):
        assert found.count(*State) == len(made)
        assert found.sound is (not found.faults and found.count(State.INJECTED, State.LEFT) == len(made))
