"""What is sent, as https://kubernetes.io/docs/reference/using-api/api-concepts/ has it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kube import calls
from kube.calls import QUIET_SECONDS, SECONDS, Call, Selectors
from kube.resources import CONFIG_MAPS, NAMESPACES, POD_CERTIFICATE_REQUESTS, PODS, Key
from proa.errors import Invalid
from proa.json import Json

MAP: Json = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "proa", "namespace": "proa-system"}}
HOOK: Json = {
    "apiVersion": "admissionregistration.k8s.io/v1",
    "kind": "MutatingWebhookConfiguration",
    "metadata": {"name": "proa-webhook"},
}
MAPS = "/api/v1/namespaces/proa-system/configmaps"


def test_a_list_is_asked_for_page_by_page_and_a_watch_with_bookmarks_and_an_end() -> None:
    selectors = Selectors("app in (a, b)", "metadata.name=proa")
    first = calls.listing(CONFIG_MAPS, "proa-system", selectors)
    assert first.target == (f"{MAPS}?labelSelector=app+in+%28a%2C+b%29&fieldSelector=metadata.name%3Dproa&limit=500")
    assert calls.listing(PODS, None, Selectors(), "x=").target == "/api/v1/pods?limit=500&continue=x%3D"
    watch = calls.watching(NAMESPACES, None, Selectors(), "7", 240)
    assert watch.target == (
        "/api/v1/namespaces?watch=true&allowWatchBookmarks=true&resourceVersion=7&timeoutSeconds=240"
    )
    assert 240 < watch.seconds < 300
    assert watch.quiet_seconds == QUIET_SECONDS


def test_what_is_applied_names_its_manager_and_takes_nothing_unless_told() -> None:
    call = calls.application(HOOK, "proa-webhook", dry_run=False, force=False)
    assert str(call) == ("PATCH /apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/proa-webhook")
    assert call.query == (("fieldManager", "proa-webhook"), ("force", "false"))
    assert (call.content_type, call.body) == ("application/apply-patch+yaml", HOOK)
    forced = calls.application(MAP, "proa", dry_run=True, force=True)
    assert forced.query == (("fieldManager", "proa"), ("force", "true"), ("dryRun", "All"))


def test_a_status_is_applied_to_the_status() -> None:
    request: Json = {"metadata": {"name": "a", "namespace": "shop"}, "status": {}}
    call = calls.status_application(POD_CERTIFICATE_REQUESTS, request, "proa-ca")
    assert call.path.endswith("/namespaces/shop/podcertificaterequests/a/status")
    assert call.query == (("fieldManager", "proa-ca"), ("force", "true"))


def test_the_other_calls_go_to_the_object_or_to_its_collection() -> None:
    key = Key("proa-system", "proa")
    assert str(calls.reading(CONFIG_MAPS, key)) == f"GET {MAPS}/proa"
    assert str(calls.creation(CONFIG_MAPS, MAP, dry_run=False)) == f"POST {MAPS}"
    assert str(calls.replacement(CONFIG_MAPS, MAP)) == f"PUT {MAPS}/proa"
    assert str(calls.deletion(CONFIG_MAPS, key, dry_run=False)) == f"DELETE {MAPS}/proa"
    merge = calls.merging(CONFIG_MAPS, key, {"data": None}, "proa")
    assert (str(merge), merge.content_type) == (f"PATCH {MAPS}/proa", "application/merge-patch+json")


def test_a_question_about_access_asks_only_what_is_named() -> None:
    call = calls.access_question("patch", POD_CERTIFICATE_REQUESTS, Key("", ""), "status")
    assert str(call) == "POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    assert isinstance(call.body, dict)
    attributes = {
        "verb": "patch",
        "group": "certificates.k8s.io",
        "version": "v1",
        "resource": "podcertificaterequests",
        "subresource": "status",
    }
    assert call.body["spec"] == {"resourceAttributes": attributes}


def test_objects_of_a_list_say_what_they_are_though_the_api_server_leaves_it_out() -> None:
    answer: Json = {"metadata": {"continue": "c", "resourceVersion": "9"}, "items": [{"data": {}}, "none"]}
    assert list(calls.items(answer, CONFIG_MAPS)) == [{"apiVersion": "v1", "kind": "ConfigMap", "data": {}}]
    assert calls.list_metadata(answer, "continue") == "c"
    assert calls.list_metadata({}, "continue") == ""


def test_an_object_without_a_name_is_not_applied() -> None:
    with pytest.raises(Invalid, match=r"metadata\.name"):
        calls.application({"apiVersion": "v1", "kind": "ConfigMap"}, "proa", dry_run=False, force=False)


@given(st.text(), st.text(), st.floats(1, 1000).map(int))
def test_no_selector_becomes_another_parameter_and_every_call_ends(label: str, field: str, seconds: int) -> None:
    for call in (
        calls.listing(PODS, None, Selectors(label, field)),
        calls.watching(PODS, None, Selectors(label, field), "1", seconds),
    ):
        path, _, query = call.target.partition("?")
        assert path == "/api/v1/pods"
        assert query.count("&") == len(call.query) - 1
        assert 0 < call.seconds <= seconds + SECONDS
    assert Call("GET", "/version").seconds == SECONDS
