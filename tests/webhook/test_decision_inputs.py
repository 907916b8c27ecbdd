"""What decides beside Proa's own label and annotation: the configuration, and Istio's names where they are read."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa.errors import Invalid
from proa.mesh import mesh_configuration
from webhook.decision import RULES, TRACES, Rule, Subject, decision
from webhook.decoding import converted
from webhook.pod import Pod
from webhook.sidecar import Sidecar
from webhook.warnings import warnings

INJECT, ISTIO, REV = "proa.dev/inject", "sidecar.istio.io/inject", "istio.io/rev"
ENABLED = {INJECT: "enabled"}
JOB = {"kind": "Job", "apiVersion": "batch/v1", "controller": True}


def asked(
    document: str = "{}",
    *,
    home: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    namespace: str = "shop",
    **more: Any,
) -> Subject:
    metadata = {"labels": labels, "annotations": annotations or {}, "ownerReferences": more.pop("owners", [])}
    pod = {"metadata": metadata, "spec": {"containers": [{"name": "app"}], **more}}
    return Subject(converted(pod, Pod, ""), namespace, home or {}, mesh_configuration(document))


def reason(*arguments: Any, **more: Any) -> str:
    return decision(asked(*arguments, **more)).reason.code


NEVER = "injection: {never: {pods: {matchLabels: {app: legacy}}, namespaces: {matchLabels: {team: infra}}}}"
ALWAYS = "injection: {always: {pods: {matchLabels: {app: legacy}}, namespaces: {matchLabels: {team: infra}}}}"
ENFORCE = "injection: {enforce: [shop], never: {pods: {matchLabels: {app: legacy}}}}"
OWNERS = "injection: {owners: {Job: disabled, ReplicaSet: enabled}}"
ACCOUNTS = "injection: {serviceAccounts: {shop/batch: disabled, shop/default: enabled}, owners: {Job: disabled}}"
LEGACY, INFRA = {"app": "legacy"}, {"team": "infra"}


@pytest.mark.parametrize(
    ("document", "pod", "code"),
    [
        ("injection: {policy: enabled}", {}, "policy_enabled"),
        ("injection: {policy: enabled}", {"home": {INJECT: "disabled"}}, "namespace_disabled"),
        ("injection: {policy: enabled}", {"annotations": {INJECT: "false"}}, "pod_annotation_disabled"),
        (NEVER, {"labels": LEGACY, "home": ENABLED}, "never_pod"),
        (NEVER, {"home": {**ENABLED, **INFRA}}, "never_namespace"),
        (NEVER, {"labels": {**LEGACY, INJECT: "enabled"}}, "pod_label_enabled"),
        (NEVER, {"labels": LEGACY, "annotations": {INJECT: "enabled"}}, "pod_annotation_enabled"),
        (ALWAYS, {"labels": LEGACY}, "always_pod"),
        (ALWAYS, {"home": INFRA}, "always_namespace"),
        (ALWAYS, {"labels": LEGACY, "home": {INJECT: "disabled"}}, "namespace_disabled"),
        (ALWAYS, {"labels": {**LEGACY, INJECT: "disabled"}}, "pod_label_disabled"),
        (ENFORCE, {"labels": {**LEGACY, INJECT: "disabled"}, "home": {INJECT: "disabled"}}, "enforced_namespace"),
        (ENFORCE, {"hostNetwork": True}, "host_network"),
        (OWNERS, {"home": ENABLED, "owners": [JOB]}, "owner_disabled"),
        (OWNERS, {"home": ENABLED, "owners": [{**JOB, "controller": False}]}, "namespace_enabled"),
        (OWNERS, {"owners": [JOB], "annotations": {INJECT: "true"}}, "pod_annotation_enabled"),
        (OWNERS, {"owners": [{"kind": "ReplicaSet", "apiVersion": "apps/v1", "controller": True}]}, "owner_enabled"),
        (ACCOUNTS, {"home": ENABLED, "serviceAccountName": "batch"}, "service_account_disabled"),
        (ACCOUNTS, {"home": ENABLED, "serviceAccount": "batch"}, "service_account_disabled"),
        (ACCOUNTS, {"owners": [JOB]}, "service_account_enabled"),
        (ACCOUNTS, {"serviceAccountName": "batch", "namespace": "other"}, "not_asked_for"),
    ],
)
def test_the_configuration_decides_where_nobody_nearer_does(document: str, pod: dict[str, Any], code: str) -> None:
    assert reason(document, **pod) == code


def test_a_kind_with_its_group_wins_over_the_kind_alone() -> None:
    document = "injection: {policy: enabled, owners: {Job: disabled, Job.batch.volcano.sh: enabled}}"
    assert reason(document, owners=[JOB]) == "owner_disabled"
    assert reason(document, owners=[{**JOB, "apiVersion": "batch.volcano.sh/v1alpha1"}]) == "owner_enabled"


TRUE, FALSE = {ISTIO: "true"}, {ISTIO: "false"}
OPEN, CLOSED, REVISED = {"istio-injection": "enabled"}, {"istio-injection": "disabled"}, {REV: "canary"}


@pytest.mark.parametrize(
    ("pod", "code"),
    [
        ({"home": OPEN}, "istio_namespace_enabled"),
        ({"home": OPEN, "labels": FALSE}, "istio_label_disabled"),
        ({"home": OPEN, "annotations": FALSE}, "istio_annotation_disabled"),
        ({"home": OPEN, "annotations": FALSE, "labels": {ISTIO: ""}}, "istio_namespace_enabled"),
        ({"home": {**OPEN, **REVISED}}, "istio_namespace_enabled"),
        ({"home": CLOSED, "annotations": TRUE}, "istio_namespace_disabled"),
        ({"home": CLOSED, "labels": TRUE}, "istio_label_overruled"),
        ({"home": {"istio-injection": "true"}}, "istio_namespace_disabled"),
        ({"home": REVISED}, "istio_revision"),
        ({"home": REVISED, "labels": FALSE}, "istio_label_disabled"),
        ({"home": REVISED, "annotations": FALSE}, "istio_annotation_disabled"),
        ({"home": {**CLOSED, **REVISED}}, "istio_namespace_disabled"),
        ({"labels": TRUE}, "istio_label_enabled"),
        ({"labels": REVISED}, "istio_revision"),
        ({"labels": {**REVISED, **FALSE}}, "istio_label_disabled"),
        ({"annotations": TRUE}, "not_asked_for"),
        ({}, "not_asked_for"),
        ({"home": {**OPEN, INJECT: "disabled"}}, "namespace_disabled"),
        ({"home": {**CLOSED, INJECT: "enabled"}}, "namespace_enabled"),
        ({"home": OPEN, "labels": {**TRUE, INJECT: "disabled"}}, "pod_label_disabled"),
        ({"home": OPEN, "labels": TRUE, "annotations": {INJECT: "disabled"}}, "istio_label_enabled"),
        ({"home": OPEN, "annotations": {ISTIO: "true", INJECT: "disabled"}}, "pod_annotation_disabled"),
    ],
)
def test_istios_names_mean_what_they_mean_there_and_proas_win(pod: dict[str, Any], code: str) -> None:
    assert reason("vocabulary: istio", **pod) == code


def test_a_selector_that_never_takes_beats_istios_namespace_and_not_its_pod() -> None:
    document = f"{{vocabulary: istio, {NEVER}}}"
    assert reason(document, home=OPEN, labels=LEGACY) == "never_pod"
    assert reason(document, home=OPEN, labels={**LEGACY, **TRUE}) == "istio_label_enabled"
    assert reason(document, home=OPEN, labels=LEGACY, annotations=TRUE) == "istio_annotation_enabled"


def test_where_istios_names_are_not_read_they_are_somebody_elses() -> None:
    assert reason(home=OPEN, labels=TRUE, annotations=FALSE) == "not_asked_for"
    assert reason(home={**CLOSED, **ENABLED}, labels={ISTIO: "yes"}) == "namespace_enabled"


@pytest.mark.parametrize(
    ("pod", "field"),
    [
        ({"labels": {ISTIO: "yes"}}, f"metadata.labels['{ISTIO}']"),
        ({"annotations": {ISTIO: "True"}}, f"metadata.annotations['{ISTIO}']"),
    ],
)
def test_what_istio_would_take_for_its_default_is_refused(pod: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as refused:
        decision(asked("vocabulary: istio", home=OPEN, **pod))
    assert (refused.value.field, refused.value.allowed) == (field, "true, false")


@pytest.fixture
def told(added: Sidecar) -> Callable[..., tuple[str, ...]]:
    def warned(*arguments: Any, **more: Any) -> tuple[str, ...]:
        subject = asked(*arguments, **more)
        return tuple(warnings(subject, decision(subject), added))

    return warned


Told = Callable[..., tuple[str, ...]]
WARN = "injection: {unusable: warn}"


@pytest.mark.parametrize(
    ("pod", "code"),
    [
        ({"labels": {INJECT: "yes"}, "home": ENABLED}, "namespace_enabled"),
        ({"labels": {INJECT: "yes"}, "annotations": {INJECT: "disabled"}, "home": ENABLED}, "pod_annotation_disabled"),
        ({"annotations": {INJECT: "on"}}, "not_asked_for"),
        ({"home": {INJECT: "on"}}, "not_asked_for"),
    ],
)
def test_an_unusable_value_may_count_as_absent_and_is_warned_of_by_key_value_and_allowed(
    told: Told, pod: dict[str, Any], code: str
) -> None:
    assert reason(WARN, **pod) == code
    (warning,) = told(WARN, **pod)
    assert warning.startswith("ignored: metadata.")
    assert INJECT in warning
    assert "found 'yes'" in warning or "found 'on'" in warning
    assert "allowed: enabled, true, disabled, false" in warning


def test_a_contradiction_is_told_and_who_wins(told: Told) -> None:
    (warning,) = told(labels={INJECT: "enabled"}, annotations={INJECT: "disabled"})
    assert "annotations" in warning.partition(": it contradicts ")[0]
    assert "labels" in warning.partition(": it contradicts ")[2]
    assert told(labels={INJECT: "enabled"}, annotations={INJECT: "true"}) == ()


def test_whose_opt_out_an_enforced_namespace_ignores_is_told(told: Told) -> None:
    (warning,) = told(ENFORCE, labels={INJECT: "disabled"})
    assert "'disabled'" in warning
    assert "injection.enforce" in warning
    (warning,) = told(ENFORCE, annotations={INJECT: "yes"})
    assert "'yes'" in warning
    assert told(ENFORCE, labels={INJECT: "enabled"}) == ()


def test_who_gets_what_they_expect_is_told_nothing(told: Told) -> None:
    assert told(home=ENABLED) == ()
    assert told(home=ENABLED, labels={INJECT: "disabled"}) == ()
    assert told(NEVER, home=ENABLED, labels=LEGACY) == ()


@pytest.mark.parametrize(
    ("standard", "fields"),
    [("baseline", ["NET_ADMIN"]), ("restricted", ["NET_ADMIN", "runAsUser 0"]), ("privileged", None), (None, None)],
)
def test_a_pod_security_standard_that_will_refuse_the_injected_pod_is_told_with_the_remedy(
    told: Told, standard: str | None, fields: list[str] | None
) -> None:
    level = {} if standard is None else {"pod-security.kubernetes.io/enforce": standard}
    found = told(home={**ENABLED, **level, "pod-security.kubernetes.io/enforce-version": "v1.30"})
    if fields is None:
        assert found == ()
        return
    what, remedy = found
    assert f"Pod Security {standard} (v1.30)" in what
    assert all(field in what for field in fields)
    assert ("runAsUser" in what) is (standard == "restricted")
    assert "pod-security.kubernetes.io/enforce=privileged" in remedy
    assert told(home={INJECT: "disabled", **level}) == ()


def test_the_rules_before_the_reason_are_the_trace() -> None:
    subject = asked(home=ENABLED)
    *before, last = TRACES[decision(subject).reason.code]
    by_code = {rule.code: rule for rule in RULES}
    assert by_code[last].applies(subject)
    assert not any(by_code[code].applies(subject) for code in before)


VALUES = st.sampled_from([None, "enabled", "disabled", "true", "false", "yes", "", "\n", "é"])
DOCUMENTS = st.sampled_from(["{}", WARN, NEVER, ALWAYS, ENFORCE, OWNERS, ACCOUNTS, "vocabulary: istio"])


def first_of_all(subject: Subject) -> Rule | None:
    """The rule that decides if every one is asked; None where one refuses."""
    try:
        return next(rule for rule in RULES if rule.applies(subject))
    except Invalid:
        return None


@given(DOCUMENTS, st.tuples(*[VALUES] * 5), st.sampled_from([None, "legacy"]))
def test_every_pod_is_injected_left_or_refused_by_the_name_of_a_value(
    document: str, values: tuple[str | None, ...], app: str | None
) -> None:
    label, annotation, istio, istio_annotation, namespace = values
    subject = asked(
        document,
        labels={k: v for k, v in {INJECT: label, ISTIO: istio, "app": app}.items() if v is not None},
        annotations={k: v for k, v in {INJECT: annotation, ISTIO: istio_annotation}.items() if v is not None},
        home={} if namespace is None else {INJECT: namespace},
    )
    expected = first_of_all(subject)
    try:
        found = decision(subject)
    except Invalid as problem:
        refused = problem.found
    else:
        assert found.reason is expected
        return
    assert expected is None
    assert document != WARN
    assert refused in {repr(each) for each in values}
