from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa import names
from proa.errors import Invalid
from proa.mesh import MeshConfiguration
from webhook.decision import RULES, Inject, Leave, NamespaceUnknown, Subject, decision
from webhook.decoding import converted
from webhook.pod import Pod

Decide = Callable[..., Inject | Leave]
INJECTED = [{"name": names.INIT_CONTAINER}, {"name": names.PROXY_CONTAINER}]


@pytest.fixture(scope="module")
def decide() -> Decide:
    """A decision on a pod described by what a decision looks at."""

    def decided(
        *,
        label: str | None = None,
        annotation: str | None = None,
        namespace: str | None = None,
        named: str = "demo",
        known: bool = True,
        **more: Any,
    ) -> Inject | Leave:
        pod = {
            "metadata": {
                "labels": {} if label is None else {names.INJECT: label},
                "annotations": ({} if annotation is None else {names.INJECT: annotation}) | more.pop("annotations", {}),
            },
            "spec": {"containers": [{"name": "app"}], **more},
        }
        labels = ({} if namespace is None else {names.INJECT: namespace}) if known else None
        return decision(Subject(converted(pod, Pod, "pod"), named, labels, MeshConfiguration()))

    return decided


@pytest.mark.parametrize(
    ("asked", "verdict", "code"),
    [
        ({}, Leave, "not_asked_for"),
        ({"namespace": "enabled"}, Inject, "namespace_enabled"),
        ({"namespace": "true"}, Inject, "namespace_enabled"),
        ({"namespace": "disabled"}, Leave, "namespace_disabled"),
        ({"namespace": "false"}, Leave, "namespace_disabled"),
        ({"label": "enabled"}, Inject, "pod_label_enabled"),
        ({"label": "disabled", "namespace": "enabled"}, Leave, "pod_label_disabled"),
        ({"label": "enabled", "namespace": "disabled"}, Inject, "pod_label_enabled"),
        ({"annotation": "enabled"}, Inject, "pod_annotation_enabled"),
        ({"annotation": "disabled", "namespace": "enabled"}, Leave, "pod_annotation_disabled"),
        ({"label": "enabled", "annotation": "disabled"}, Inject, "pod_label_enabled"),
        ({"label": "disabled", "annotation": "enabled"}, Leave, "pod_label_disabled"),
        ({"label": "enabled", "hostNetwork": True}, Leave, "host_network"),
        ({"namespace": "enabled", "hostNetwork": False}, Inject, "namespace_enabled"),
        ({"namespace": "enabled", "hostNetwork": None}, Inject, "namespace_enabled"),
        ({"label": "enabled", "os": {"name": "windows"}}, Leave, "windows"),
        ({"label": "enabled", "os": {"name": "linux"}}, Inject, "pod_label_enabled"),
        (
            {"label": "enabled", "annotations": {names.STATUS: ""}, "initContainers": INJECTED},
            Inject,
            "pod_label_enabled",
        ),
        ({"label": "enabled", "initContainers": INJECTED}, Inject, "pod_label_enabled"),
        ({"label": "enabled", "named": "kube-system"}, Leave, "system_namespace"),
        ({"label": "enabled", "named": names.SYSTEM_NAMESPACE}, Leave, "own_namespace"),
    ],
)
def test_the_first_rule_that_applies_decides(decide: Decide, asked: dict[str, Any], verdict: type, code: str) -> None:
    decided = decide(**asked)
    assert isinstance(decided, verdict)
    assert decided.reason.code == code


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"label": "yes"}, "metadata.labels['proa.dev/inject']"),
        ({"annotation": "Enabled"}, "metadata.annotations['proa.dev/inject']"),
        ({"namespace": "on"}, "metadata.labels['proa.dev/inject'] of namespace demo"),
        ({"label": ""}, "metadata.labels['proa.dev/inject']"),
    ],
)
def test_a_wish_that_is_neither_yes_nor_no_is_refused_by_its_key(
    decide: Decide, asked: dict[str, Any], field: str
) -> None:
    with pytest.raises(Invalid) as refused:
        decide(**asked)
    assert refused.value.field == field
    assert refused.value.found == repr(next(iter(asked.values())))
    assert refused.value.allowed == "enabled, true, disabled, false"


@given(st.text().filter(lambda text: text not in {"enabled", "disabled", "true", "false"}))
def test_no_other_text_opts_in_or_out(decide: Decide, text: str) -> None:
    with pytest.raises(Invalid):
        decide(label=text)


def test_a_namespace_nobody_has_seen_yet_fails_closed(decide: Decide) -> None:
    with pytest.raises(NamespaceUnknown, match="namespace 'demo' are not known"):
        decide(known=False)


def test_a_pod_that_decides_for_itself_does_not_need_its_namespace(decide: Decide) -> None:
    assert decide(label="enabled", known=False).reason.code == "pod_label_enabled"
    assert decide(label="enabled", known=False, hostNetwork=True).reason.code == "host_network"


def test_codes_are_unique_and_stable() -> None:
    assert [rule.code for rule in RULES] == [
        "own_namespace",
        "system_namespace",
        "host_network",
        "windows",
        "enforced_namespace",
        "pod_label_disabled",
        "pod_label_enabled",
        "istio_label_disabled",
        "istio_label_overruled",
        "istio_label_enabled",
        "pod_annotation_disabled",
        "pod_annotation_enabled",
        "istio_namespace_disabled",
        "istio_annotation_disabled",
        "istio_annotation_enabled",
        "never_pod",
        "never_namespace",
        "namespace_disabled",
        "always_pod",
        "always_namespace",
        "service_account_disabled",
        "service_account_enabled",
        "owner_disabled",
        "owner_enabled",
        "namespace_enabled",
        "istio_namespace_enabled",
        "istio_revision",
        "policy_enabled",
        "not_asked_for",
    ]


def test_the_last_rule_always_applies(decide: Decide) -> None:
    assert decide().reason is RULES[-1]


def test_sentences_fit_an_admission_warning() -> None:
    # Kubernetes may cut warnings beyond 256 characters and asks for less than 120 where possible.
    assert all(len(rule.sentence) < 120 for rule in RULES)
