import copy
import json
from collections.abc import Callable
from typing import Any

import jsonpatch
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa import names
from webhook.decision import NamespaceUnknown
from webhook.review import Response, Status

Answer = Callable[..., Response]
ReviewOf = Callable[..., bytes]


def refusal_of(response: Response) -> Status:
    assert not response.allowed
    assert response.patch is None
    assert response.status is not None
    return response.status


def test_the_uid_comes_back(review_of: ReviewOf, answer: Answer, ordinary_pod: dict[str, Any]) -> None:
    assert answer(review_of(ordinary_pod, uid="abc")).uid == "abc"
    assert answer(review_of({}, uid="abc")).uid == "abc"


def test_the_reason_stands_in_the_audit_annotations(
    review_of: ReviewOf, answer: Answer, ordinary_pod: dict[str, Any]
) -> None:
    injected = answer(review_of(ordinary_pod))
    assert injected.audit_annotations == {"decision": "injected", "reason": "namespace_enabled"}
    left = answer(review_of(ordinary_pod), {})
    assert left.audit_annotations == {"decision": "left", "reason": "not_asked_for"}
    refused = answer(review_of(ordinary_pod), {names.INJECT: "yes"})
    assert refused.audit_annotations == {"decision": "refused", "reason": "invalid"}


def test_an_answer_about_a_pod_that_is_injected_repeats_no_key_of_the_first(
    review_of: ReviewOf, answer: Answer, ordinary_pod: dict[str, Any]
) -> None:
    """As the API server asks again after its own plugins, and takes each key once."""
    injected = answer(review_of(ordinary_pod))
    assert injected.patch is not None
    again = answer(review_of(jsonpatch.apply_patch(ordinary_pod, json.loads(injected.patch))))
    assert again.audit_annotations == {"decision-again": "left", "reason-again": "already_injected"}
    assert not again.audit_annotations.keys() & injected.audit_annotations.keys()


def test_a_pod_of_an_unknown_namespace_gets_no_answer_rather_than_a_refusal(
    review_of: ReviewOf, answer: Answer, ordinary_pod: dict[str, Any]
) -> None:
    with pytest.raises(NamespaceUnknown, match="'demo'"):
        answer(review_of(ordinary_pod), None)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"operation": "UPDATE"}, "request.operation: found 'UPDATE', allowed: 'CREATE'"),
        ({"subResource": "ephemeralcontainers"}, "request.subResource: found 'ephemeralcontainers'"),
        (
            {"kind": {"group": "apps", "version": "v1", "kind": "Deployment"}},
            "request.kind: found 'apps/v1 Deployment'",
        ),
        ({"kind": {"group": "", "version": "v2", "kind": "Pod"}}, "request.kind: found 'core/v2 Pod'"),
    ],
)
def test_what_is_not_the_creation_of_a_pod_is_refused(
    review_of: ReviewOf, answer: Answer, ordinary_pod: dict[str, Any], changes: dict[str, object], named: str
) -> None:
    status = refusal_of(answer(review_of(ordinary_pod, **changes)))
    assert (status.code, status.reason) == (400, "BadRequest")
    assert named in status.message


@pytest.mark.parametrize(
    ("pod", "message"),
    [
        ({}, "spec: found nothing, allowed: a value: the field is required"),
        ([], "object: found a list, allowed: a mapping"),
        (None, "object: found null, allowed: a mapping"),
        ({"spec": {}}, "spec.containers: found nothing, allowed: a value: the field is required"),
        ({"spec": {"containers": None}}, "spec.containers: found null, allowed: a list"),
        (
            {"spec": {"containers": []}},
            "spec.containers: found a list too short, allowed: at least 1",
        ),
        ({"spec": {"containers": [{"name": 1}]}}, "spec.containers[0].name: found a whole number, allowed: text"),
        (
            {"spec": {"containers": [{"name": "a"}], "hostNetwork": "yes"}},
            "spec.hostNetwork: found text, allowed: a boolean",
        ),
        (
            {"spec": {"containers": [{"name": "a"}]}, "metadata": {"labels": {"proa.dev/inject": True}}},
            "metadata.labels['proa.dev/inject']: found true, allowed: text, in quotes",
        ),
        (
            {"spec": {"containers": [{"name": "a"}]}, "metadata": {"annotations": {"proa.dev/status": None}}},
            "metadata.annotations['proa.dev/status']: found nothing, allowed: text, in quotes",
        ),
        (
            {"spec": {"containers": [{"name": "a"}]}, "metadata": {"labels": {"proa.dev/inject": "on"}}},
            "metadata.labels['proa.dev/inject']: found 'on', allowed: enabled, true, disabled, false",
        ),
    ],
)
def test_a_pod_with_missing_or_wrong_fields_is_refused_by_field(
    review_of: ReviewOf, answer: Answer, pod: object, message: str
) -> None:
    status = refusal_of(answer(review_of(pod)))
    assert (status.code, status.reason) == (422, "Invalid")
    assert status.message.startswith(message)


def test_everything_a_pod_collides_with_is_named_at_once(review_of: ReviewOf, answer: Answer) -> None:
    pod = {
        "metadata": {"name": "web"},
        "spec": {
            "securityContext": {"runAsUser": 1337},
            "initContainers": [
                {"name": "proa-init", "command": ["x"]},
                {"name": "a", "securityContext": {"runAsGroup": 1337}},
            ],
            "containers": [
                {"name": "app", "volumeMounts": [{"name": "data"}, {"name": "proa-identity"}]},
                {"name": "proa-proxy", "securityContext": {"runAsUser": 0}, "ports": [{"containerPort": 15090}]},
            ],
            "volumes": [{"name": "proa-identity"}, {"name": "proa-bootstrap"}, {"name": "proa-discovery"}],
        },
    }
    message = refusal_of(answer(review_of(pod))).message
    assert message.startswith("the pod 'demo/web' is not usable:\n")
    assert [line.split(": ")[0].strip() for line in message.splitlines()[1:]] == [
        "spec.initContainers[0].command",
        "spec.containers[1].securityContext.runAsUser",
        "spec.containers[1].ports[0].containerPort",
        "spec.securityContext.runAsUser",
        "spec.initContainers[0].securityContext.runAsGroup",
        "spec.containers[0].volumeMounts[1].name",
        "spec.volumes[0].name",
        "spec.volumes[1].name",
        "spec.volumes[2].name",
    ]
    assert "found 0, allowed: 1337: interception rests on it" in message


@pytest.mark.parametrize("port", [15000, 15001, 15006, 15021, 15090])
def test_an_application_at_a_port_of_the_sidecars_is_refused_and_told_which(
    review_of: ReviewOf, answer: Answer, port: int
) -> None:
    pod = {"spec": {"containers": [{"name": "app", "ports": [{"containerPort": port}]}]}}
    message = refusal_of(answer(review_of(pod))).message
    assert f"spec.containers[0].ports[0].containerPort: found {port}, allowed: any port but the sidecar's" in message


def test_a_pod_copied_from_an_injected_one_without_its_sidecar_is_refused(review_of: ReviewOf, answer: Answer) -> None:
    pod = {"metadata": {"annotations": {names.STATUS: "{}"}}, "spec": {"containers": [{"name": "app"}]}}
    assert f"metadata.annotations['{names.STATUS}']" in refusal_of(answer(review_of(pod))).message


def test_a_pod_that_is_left_may_be_anything(review_of: ReviewOf, answer: Answer) -> None:
    pod = {"spec": {"securityContext": {"runAsUser": 1337}, "containers": [{"name": "proa-proxy"}]}}
    assert answer(review_of(pod), {}).allowed


@pytest.mark.parametrize(
    ("change", "namespace", "warned"),
    [
        ({"labels": {names.INJECT: "enabled"}}, "kube-system", True),
        ({"annotations": {names.INJECT: "true"}}, "kube-system", True),
        ({"labels": {names.INJECT: "disabled"}}, "kube-system", False),
        ({}, "kube-system", False),
        ({"labels": {names.INJECT: "enabled"}}, "demo", False),
    ],
)
def test_only_who_asks_for_a_sidecar_and_gets_none_is_warned(
    review_of: ReviewOf, answer: Answer, change: dict[str, Any], namespace: str, *, warned: bool
) -> None:
    pod = {"metadata": {"name": "web", **change}, "spec": {"containers": [{"name": "app"}]}}
    response = answer(review_of(pod, namespace=namespace))
    assert response.allowed
    assert bool(response.warnings) is warned
    assert all("neverInjectNamespaces" in warning for warning in response.warnings)


def test_a_host_network_pod_that_asks_is_told_why_not(review_of: ReviewOf, answer: Answer) -> None:
    labels = {names.INJECT: "enabled"}
    pod = {"metadata": {"labels": labels}, "spec": {"hostNetwork": True, "containers": [{"name": "app"}]}}
    (warning,) = answer(review_of(pod)).warnings
    assert "hostNetwork" in warning


def test_fields_that_a_later_kubernetes_adds_change_nothing(
    review_of: ReviewOf, answer: Answer, ordinary_pod: dict[str, Any]
) -> None:
    newer = copy.deepcopy(ordinary_pod)
    newer["spec"]["fromTheFuture"] = {"containers": 7}
    newer["spec"]["containers"][0]["securityContext"] = {"fromTheFuture": [1]}
    assert answer(review_of(newer, fromTheFuture=1)).patch == answer(review_of(ordinary_pod)).patch


@given(data=st.data())
def test_arbitrary_json_in_the_place_of_a_pod_is_refused_by_a_name(
    data: st.DataObject, any_json: st.SearchStrategy[Any], review_of: ReviewOf, answer: Answer
) -> None:
    response = answer(review_of(data.draw(any_json)))
    assert refusal_of(response).code == 422


@given(data=st.data())
def test_arbitrary_json_in_a_field_of_a_pod_is_refused_or_left_alone(
    data: st.DataObject,
    any_json: st.SearchStrategy[Any],
    review_of: ReviewOf,
    answer: Answer,
    patched: Callable[[Any, Response], Any],
    ordinary_pod: dict[str, Any],
) -> None:
    pod = copy.deepcopy(ordinary_pod)
    parents = [pod, pod["metadata"], pod["spec"], pod["spec"]["containers"][0], pod["spec"]["volumes"][0]]
    parent = data.draw(st.sampled_from(parents))
    parent[data.draw(st.sampled_from(["metadata", "spec", "labels", "annotations", "initContainers", "name"]))] = (
        data.draw(any_json)
    )
    response = answer(review_of(pod))
    if response.allowed:
        assert patched(pod, response)["spec"]["containers"] == pod["spec"]["containers"]
    else:
        assert refusal_of(response).code == 422
