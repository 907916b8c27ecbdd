import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook.review import Response, Unreadable, admission_request, failure, refusal, review


def test_a_genuine_review_is_read(review_of: Callable[..., bytes], ordinary_pod: dict[str, Any]) -> None:
    request = admission_request(review_of(ordinary_pod, subResource="", dryRun=True))
    assert (request.uid, request.operation, request.namespace) == (
        "705ab4f5-6393-11e8-b7cc-42010a800002",
        "CREATE",
        "demo",
    )
    assert str(request.kind) == "core/v1 Pod"
    assert request.dry_run is True
    assert json.loads(bytes(request.object)) == ordinary_pod


@pytest.mark.parametrize(
    ("body", "field", "found"),
    [
        (b"not json", "body", "what is not JSON"),
        (b"", "body", "what is not JSON"),
        (b'{"apiVersion":', "body", "truncated"),
        (b'{"apiVersion": "\xff"}', "body", "what is not JSON"),
        (b"[" * 100_000, "body", "a list"),
        (b'{"deep":' + b"[" * 100_000, "body", "recursion"),
        (b"[]", "body", "a list"),
        (b"null", "body", "null"),
        (b"{}", "apiVersion", "nothing"),
        (b'{"apiVersion": 1}', "apiVersion", "a whole number"),
        (b'{"apiVersion": "admission.k8s.io/v2", "kind": "AdmissionReview"}', "apiVersion", "v2"),
        (b'{"apiVersion": "admission.k8s.io/v1"}', "kind", "nothing"),
        (b'{"apiVersion": "admission.k8s.io/v1", "kind": "ConversionReview"}', "kind", "ConversionReview"),
        (b'{"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview"}', "request", "nothing"),
        (b'{"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {}}', "request.uid", "nothing"),
    ],
)
def test_a_body_that_is_no_review_is_refused_by_field(body: bytes, field: str, found: str) -> None:
    with pytest.raises(Unreadable) as refused:
        admission_request(body)
    assert (refused.value.field, refused.value.http_status) == (field, 400)
    assert found in refused.value.found
    assert refused.value.allowed


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"uid": ""}, "request.uid"),
        ({"uid": 7}, "request.uid"),
        ({"kind": "Pod"}, "request.kind"),
        ({"kind": {"version": "v1"}}, "request.kind.kind"),
        ({"operation": None}, "request.operation"),
        ({"namespace": []}, "request.namespace"),
        ({"dryRun": "yes"}, "request.dryRun"),
    ],
)
def test_a_request_that_cannot_be_answered_is_refused_by_field(
    review_of: Callable[..., bytes], changes: dict[str, object], field: str
) -> None:
    with pytest.raises(Unreadable) as refused:
        admission_request(review_of({}, **changes))
    assert refused.value.field == field


@given(st.binary() | st.text().map(str.encode))
def test_any_bytes_are_refused_or_read(body: bytes) -> None:
    with pytest.raises(Unreadable):
        admission_request(body)


def test_a_patch_is_base64_on_the_wire_and_absent_members_are_not_written() -> None:
    response = Response(uid="u", allowed=True, audit_annotations={"decision": "x"}, patch=b'[{"op":"add"}]')
    sent = json.loads(review(response))
    assert (sent["apiVersion"], sent["kind"]) == ("admission.k8s.io/v1", "AdmissionReview")
    assert base64.b64decode(sent["response"].pop("patch")) == b'[{"op":"add"}]'
    assert sent["response"] == {"uid": "u", "allowed": True, "auditAnnotations": {"decision": "x"}}


def test_a_failure_is_a_status_that_kubernetes_clients_print() -> None:
    assert json.loads(failure(refusal(413, "too much"))) == {
        "apiVersion": "v1",
        "kind": "Status",
        "status": "Failure",
        "code": 413,
        "reason": "RequestEntityTooLarge",
        "message": "too much",
    }


@pytest.mark.parametrize("version", ["admission.k8s.io/v1", "admission.k8s.io/v1beta1"])
def test_a_review_is_answered_in_the_version_it_came_in_whatever_its_request_says(
    review_of: Callable[..., bytes], version: str
) -> None:
    body = json.loads(review_of({}, apiVersion="something/else")) | {"apiVersion": version}
    request = admission_request(json.dumps(body).encode())
    sent = json.loads(review(Response(uid=request.uid, allowed=True, audit_annotations={}), request.api_version))
    assert (sent["apiVersion"], sent["kind"]) == (version, "AdmissionReview")
    assert sent["response"]["uid"] == body["request"]["uid"]
