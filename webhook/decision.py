"""Whether a pod gets a sidecar: one ordered list of rules, the first that applies decides. Pure.

A rule is also the reason that reaches the user: its code stands in metrics, audit annotations and logs and never
changes. The rules before it in `RULES` were asked and did not apply, so the list is the trace as well.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Final, TypeAlias

from msgspec import UNSET, UnsetType

from proa import names
from proa.errors import Invalid, ProaError, shown
from proa.mesh import MeshConfiguration
from webhook.pod import Pod

OPT_IN: Final = ("enabled", "true")
OPT_OUT: Final = ("disabled", "false")
_WISHES: Final = {**dict.fromkeys(OPT_IN, True), **dict.fromkeys(OPT_OUT, False)}


@dataclass(frozen=True, slots=True)
class Subject:
    """All that a decision may look at. *namespace_labels* is None where this process has not seen the namespace."""

    pod: Pod
    namespace: str
    namespace_labels: Mapping[str, str] | None
    configuration: MeshConfiguration


@dataclass(eq=False)
class NamespaceUnknown(ProaError):
    """The pod's namespace decides and is not known here yet: the same request may succeed soon."""

    code: ClassVar[str] = "namespace_unknown"
    namespace: str

    def __str__(self) -> str:
        return f"the labels of namespace {self.namespace!r} are not known to this webhook yet: try again"


@dataclass(frozen=True, slots=True)
class Reason:
    """A reason that no rule gives: what was found when a decision was carried out."""

    code: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Inject:
    """The pod gets a sidecar."""

    reason: "Rule | Reason"


@dataclass(frozen=True, slots=True)
class Leave:
    """The pod stays as it is."""

    reason: "Rule | Reason"


Decision: TypeAlias = Inject | Leave


@dataclass(frozen=True, slots=True)
class Rule:
    """When *applies*, the verdict is *verdict*; *sentence* tells a user why."""

    code: str
    verdict: type[Inject] | type[Leave]
    sentence: str
    applies: Callable[[Subject], bool]


def decision(subject: Subject) -> Decision:
    """What the first rule that applies says. Raises Invalid for an opt-in or opt-out that is neither, and
    NamespaceUnknown where the namespace would have to decide and is not known.
    """
    rule = next(rule for rule in RULES if rule.applies(subject))
    return rule.verdict(rule)


def opted_in(labels: Mapping[str, str] | None) -> Mapping[str, str]:
    """*labels* of a namespace that the API server has seen to opt in: it knew of that label sooner than this process.

    A value that is neither stays, as it is to be refused.
    """
    known = labels or {}
    wish = known.get(names.INJECT)
    return {**known, names.INJECT: OPT_IN[0]} if wish is None or wish in OPT_OUT else known


def _pod_label(subject: Subject) -> bool | None:
    return _wish(subject.pod.labels.inject, f"metadata.labels['{names.INJECT}']")


def _pod_annotation(subject: Subject) -> bool | None:
    return _wish(subject.pod.annotations.inject, f"metadata.annotations['{names.INJECT}']")


def _namespace_label(subject: Subject) -> bool | None:
    if subject.namespace_labels is None:
        raise NamespaceUnknown(subject.namespace)
    value = subject.namespace_labels.get(names.INJECT, UNSET)
    return _wish(value, f"metadata.labels['{names.INJECT}'] of namespace {subject.namespace}")


def _wish(value: str | UnsetType, field: str) -> bool | None:
    if value is UNSET:
        return None
    if value not in _WISHES:
        # Istio warns of such a value in its own log and goes on: `yes` opts in by accident of the default.
        raise Invalid(field, shown(value), ", ".join(_WISHES))
    return _WISHES[value]


RULES: Final = (
    Rule(
        "own_namespace",
        Leave,
        f"pods of {names.SYSTEM_NAMESPACE} are never injected: the injector must not need itself to start",
        lambda subject: subject.namespace == names.SYSTEM_NAMESPACE,
    ),
    Rule(
        "system_namespace",
        Leave,
        "the mesh configuration lists the namespace under neverInjectNamespaces",
        lambda subject: subject.namespace in subject.configuration.never_inject_namespaces,
    ),
    Rule(
        "host_network",
        Leave,
        "the pod uses the node's network (hostNetwork), whose traffic is not the pod's to intercept",
        lambda subject: subject.pod.spec.host_network is True,
    ),
    Rule(
        "windows",
        Leave,
        "the pod runs on Windows (spec.os.name), where neither nftables nor the sidecar's image runs",
        lambda subject: subject.pod.spec.os is not None and subject.pod.spec.os.name == "windows",
    ),
    Rule(
        "pod_label_disabled",
        Leave,
        f"the pod's label {names.INJECT} opts out",
        lambda subject: _pod_label(subject) is False,
    ),
    Rule(
        "pod_label_enabled",
        Inject,
        f"the pod's label {names.INJECT} opts in",
        lambda subject: _pod_label(subject) is True,
    ),
    Rule(
        "pod_annotation_disabled",
        Leave,
        f"the pod's annotation {names.INJECT} opts out",
        lambda subject: _pod_annotation(subject) is False,
    ),
    Rule(
        "pod_annotation_enabled",
        Inject,
        f"the pod's annotation {names.INJECT} opts in",
        lambda subject: _pod_annotation(subject) is True,
    ),
    Rule(
        "namespace_disabled",
        Leave,
        f"the namespace's label {names.INJECT} opts out",
        lambda subject: _namespace_label(subject) is False,
    ),
    Rule(
        "namespace_enabled",
        Inject,
        f"the namespace's label {names.INJECT} opts in",
        lambda subject: _namespace_label(subject) is True,
    ),
    Rule(
        "not_asked_for",
        Leave,
        f"neither the pod nor its namespace carries {names.INJECT}",
        lambda _: True,
    ),
)
