import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa import names
from proa.errors import Invalid
from proa.mesh import MeshConfiguration
from webhook.decision import Inject, Leave, NamespaceUnknown, Subject, decision, opted_in
from webhook.decoding import converted
from webhook.pod import Pod
from webhook.registration import NAMESPACE_PATH, NEVER_MATCHED, Revision, Trust, registration

Labels = Mapping[str, str]
WISHES = (None, "enabled", "true", "disabled", "false", "yes", "")
REVISIONS = tuple(map(Revision, ("", "canary", "stable")))
NAMESPACES = ("demo", *NEVER_MATCHED)


def labels(**values: str | None) -> dict[str, str]:
    keys = {"inject": names.INJECT, "revision": names.REVISION, "on_failure": names.ON_FAILURE}
    return {keys[key]: value for key, value in values.items() if value is not None}


def holds(requirement: Any, found: Labels) -> bool:
    """As the API server reads a requirement (apimachinery's labels.Requirement.Matches)."""
    value = found.get(requirement["key"])
    match requirement["operator"]:
        case "In":
            return value is not None and value in requirement["values"]
        case "NotIn":
            return value is None or value not in requirement["values"]
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
        case operator:
            raise AssertionError(operator)


def selected(selector: Any, found: Labels) -> bool:
    assert set(selector) == {"matchExpressions"}
    return all(holds(requirement, found) for requirement in selector["matchExpressions"])


def matching(namespace: str, namespace_labels: Labels, pod_labels: Labels) -> list[Any]:
    """The entries of all revisions that select a pod: CEL is the API server's (tests/cluster_suite)."""
    found = {**namespace_labels, "kubernetes.io/metadata.name": namespace}
    return [
        entry
        for revision in REVISIONS
        for entry in webhooks(revision)
        if selected(entry["namespaceSelector"], found) and selected(entry["objectSelector"], pod_labels)
    ]


@cache
def webhooks(revision: Revision, trust: Trust = Trust.PROA) -> Any:
    made: Any = registration(revision, trust)
    return made["webhooks"]


def every_pair() -> Iterator[tuple[str, Labels, Labels]]:
    for name, inject, revision, on_failure, pod in product(
        NAMESPACES, WISHES, (None, "canary", "stable", "gone", ""), (None, "open", "closed", "opne"), WISHES
    ):
        yield name, labels(inject=inject, revision=revision, on_failure=on_failure), labels(inject=pod)


def outcome(namespace: str, namespace_labels: Labels | None, pod_labels: Labels, annotation: str | None) -> str:
    metadata = {"labels": pod_labels, "annotations": labels(inject=annotation)}
    pod = converted({"metadata": metadata, "spec": {"containers": [{"name": "app"}]}}, Pod, "")
    try:
        match decision(Subject(pod, namespace, namespace_labels, MeshConfiguration())):
            case Inject():
                return "inject"
            case Leave():
                return "leave"
    except Invalid:
        return "refuse"


def asked(entry: Any, annotation: str | None) -> bool:
    """What the entry's conditions on the annotation say. That the CEL says it is proved on the API server."""
    opted_out = annotation in ("disabled", "false")
    by_name = {
        "annotated": annotation is not None,
        "not-opted-out": not opted_out,
        "not-host-network": True,
        "not-windows": True,
    }
    return all(by_name[condition["name"]] for condition in entry["matchConditions"])


def test_any_pair_of_labels_matches_at_most_one_entry_of_all_revisions() -> None:
    counts = {len(matching(*pair)) for pair in every_pair()}
    assert counts == {0, 1}


def test_what_the_decision_would_inject_or_refuse_is_sent_and_nothing_else() -> None:
    for namespace, namespace_labels, pod_labels in every_pair():
        found = matching(namespace, namespace_labels, pod_labels)
        served = namespace_labels.get(names.REVISION) in {None, "canary", "stable"}
        for annotation in WISHES:
            sent = any(asked(entry, annotation) for entry in found)
            decided = outcome(namespace, namespace_labels, pod_labels, annotation)
            assert sent == (served and decided != "leave"), (namespace, namespace_labels, pod_labels, annotation)


def test_an_entrys_path_is_enough_to_decide_a_pod_whose_namespace_has_not_been_seen() -> None:
    for namespace, namespace_labels, pod_labels in every_pair():
        for entry, annotation in product(matching(namespace, namespace_labels, pod_labels), WISHES):
            if not asked(entry, annotation):
                continue
            seen = outcome(namespace, namespace_labels, pod_labels, annotation)
            by_namespace = entry["clientConfig"]["service"]["path"] == NAMESPACE_PATH
            believed = opted_in(None) if by_namespace else None
            try:
                unseen = outcome(namespace, believed, pod_labels, annotation)
            except NamespaceUnknown:
                pytest.fail(f"{entry['name']} needs the labels of {namespace_labels}")
            misspelt = by_namespace and annotation is None and seen == "refuse"
            assert unseen == ("inject" if misspelt else seen)


def test_the_namespaces_revision_chooses_the_registration() -> None:
    def service(revision: str | None) -> list[str]:
        found = matching("demo", labels(inject="enabled", revision=revision), {})
        return [entry["clientConfig"]["service"]["name"] for entry in found]

    assert service(None) == ["proa-webhook"]
    assert service("canary") == ["proa-webhook-canary"]
    assert service("gone") == []


@pytest.mark.parametrize(
    ("on_failure", "policy"), [(None, "Fail"), ("closed", "Fail"), ("open", "Ignore"), ("opne", "Fail")]
)
def test_the_namespace_chooses_what_becomes_of_a_pod_that_nobody_reviews(on_failure: str | None, policy: str) -> None:
    for pod in (labels(inject="enabled"), {}):
        (entry,) = matching("demo", labels(inject="enabled", on_failure=on_failure), pod)
        assert entry["failurePolicy"] == policy


@pytest.mark.parametrize("namespace", NEVER_MATCHED)
def test_no_pod_of_a_system_namespace_is_ever_sent(namespace: str) -> None:
    assert matching(namespace, labels(inject="enabled"), labels(inject="enabled")) == []


def test_every_namespace_that_the_configuration_never_injects_by_default_is_never_sent() -> None:
    assert {*MeshConfiguration().never_inject_namespaces, "proa-system"} == set(NEVER_MATCHED)


@pytest.mark.parametrize("revision", REVISIONS)
def test_every_entry_is_harmless_to_the_cluster(revision: Revision) -> None:
    for entry in webhooks(revision):
        assert entry["timeoutSeconds"] < 10
        assert entry["sideEffects"] == "None"
        assert entry["reinvocationPolicy"] == "IfNeeded"
        assert entry["matchPolicy"] == "Equivalent"
        assert [rule["operations"] for rule in entry["rules"]] == [["CREATE"]]
        assert [rule["scope"] for rule in entry["rules"]] == ["Namespaced"]
        assert "caBundle" not in entry["clientConfig"]
        # What is not there is an error in CEL, and an error is a refused pod.
        for condition in entry["matchConditions"]:
            for field in re.findall(r"object\.((?:metadata|spec)\.\w+)", condition["expression"]):
                assert f"has(object.{field})" in condition["expression"]


def test_no_entry_is_ever_renamed_or_dropped() -> None:
    # An upgrade by server-side apply could not: the entry is the caBundle's writer's too, and what it would leave of
    # it has neither sideEffects nor a service (tried on a 1.37 API server: 422).
    assert [entry["name"] for entry in webhooks(Revision())] == [
        "pod-label.closed.default.webhook.proa.dev",
        "namespace.closed.default.webhook.proa.dev",
        "pod-annotation.closed.default.webhook.proa.dev",
        "pod-annotation-only.closed.default.webhook.proa.dev",
        "pod-label.open.default.webhook.proa.dev",
        "namespace.open.default.webhook.proa.dev",
        "pod-annotation.open.default.webhook.proa.dev",
        "pod-annotation-only.open.default.webhook.proa.dev",
    ]


def test_entries_have_names_that_tell_revisions_apart() -> None:
    found = [entry["name"] for revision in REVISIONS for entry in webhooks(revision)]
    assert len(set(found)) == len(found)
    assert "pod-label.closed.default.webhook.proa.dev" in found
    assert "namespace.open.canary.webhook.proa.dev" in found


def test_under_cert_manager_its_injector_writes_the_bundle() -> None:
    made: Any = registration(Revision("canary"), Trust.CERT_MANAGER)
    assert made["metadata"] == {
        "name": "proa-webhook-canary",
        "annotations": {"cert-manager.io/inject-ca-from": "proa-system/proa-webhook-canary"},
    }


def test_no_part_stands_twice_so_that_yaml_needs_no_aliases() -> None:
    seen: set[int] = set()

    def walk(part: Any) -> None:
        if isinstance(part, dict | list):
            assert id(part) not in seen
            seen.add(id(part))
            for each in part.values() if isinstance(part, dict) else part:
                walk(each)

    made = registration(Revision())
    walk(made)
    assert json.loads(json.dumps(made)) == made


@pytest.mark.parametrize("name", ["default", "Canary", "-a", "a-", "a.b", "a" * 51, "é", "a\n", " "])
def test_a_name_that_is_no_revision_is_refused(name: str) -> None:
    with pytest.raises(Invalid, match="revision: found"):
        Revision(name)


@given(st.from_regex(r"\A[a-z0-9]([a-z0-9-]{0,48}[a-z0-9])?\Z").filter(lambda name: name != "default"))
def test_a_revisions_objects_have_names_that_kubernetes_takes(name: str) -> None:
    revision = Revision(name)
    assert re.fullmatch(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?", revision.named("proa-webhook"))
    for entry in webhooks(revision):
        assert len(entry["name"]) <= 253
        assert len(entry["name"].split(".")) >= 3


def test_the_default_revisions_objects_have_the_plain_names() -> None:
    assert Revision().named("proa-webhook") == "proa-webhook"
