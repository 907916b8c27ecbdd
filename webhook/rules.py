"""Whether a pod gets a sidecar: one ordered list of rules, the first that applies decides. Pure.

A rule is also the reason that reaches the user: its code stands in metrics, audit annotations and logs and never
changes. The rules before it in `RULES` were asked and did not apply, so the list is the trace as well.

Whoever says something is heard before what was configured about it, the nearest first: the pod's label, its
annotation, `never`, the namespace's opt-out, then what is configured for pods about which nobody said no. Only what
cannot be injected, and `enforce`, stand above the pod.
"""

from collections.abc import Callable
from typing import Final

from proa import names
from proa.injection import Policy
from proa.namespaces import ISTIO_ENABLED, ISTIO_INJECTION, ISTIO_REVISION, OPT_OUT
from webhook import opting, selection
from webhook.conditions import on_windows
from webhook.opting import Subject, Wish, meant
from webhook.pod import ISTIO_INJECT
from webhook.verdicts import Inject, Leave, Rule


def _opts_in(read: Callable[[Subject], Wish | None]) -> Callable[[Subject], bool]:
    return lambda subject: meant(read(subject), subject) is True


def _opts_out(read: Callable[[Subject], Wish | None]) -> Callable[[Subject], bool]:
    return lambda subject: meant(read(subject), subject) is False


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
        lambda subject: on_windows(subject.pod),
    ),
    Rule(
        "enforced_namespace",
        Inject,
        "the mesh configuration lists the namespace under injection.enforce: nobody opts out there",
        lambda subject: subject.namespace in subject.configuration.injection.enforce,
        "enforce",
    ),
    Rule(
        "pod_label_disabled",
        Leave,
        f"the pod's label {names.INJECT} opts out",
        _opts_out(opting.pod_label),
    ),
    Rule(
        "pod_label_enabled",
        Inject,
        f"the pod's label {names.INJECT} opts in",
        _opts_in(opting.pod_label),
    ),
    Rule(
        "istio_label_disabled",
        Leave,
        f"the pod's label {ISTIO_INJECT} opts out (vocabulary: istio)",
        opting.istio_label_disabled,
        "istio",
    ),
    Rule(
        "istio_label_overruled",
        Leave,
        f"the namespace's label {ISTIO_INJECTION} is not {ISTIO_ENABLED!r}: no label of Istio's opts in",
        opting.istio_label_overruled,
        "istio",
    ),
    Rule(
        "istio_label_enabled",
        Inject,
        f"the pod's label {ISTIO_INJECT} opts in (vocabulary: istio)",
        _opts_in(opting.istio_label),
        "istio",
    ),
    Rule(
        "pod_annotation_disabled",
        Leave,
        f"the pod's annotation {names.INJECT} opts out",
        _opts_out(opting.pod_annotation),
    ),
    Rule(
        "pod_annotation_enabled",
        Inject,
        f"the pod's annotation {names.INJECT} opts in",
        _opts_in(opting.pod_annotation),
    ),
    Rule(
        "istio_namespace_disabled",
        Leave,
        f"the namespace's label {ISTIO_INJECTION} is not {ISTIO_ENABLED!r}: that closes it to all pods",
        opting.istio_closed,
        "istio",
    ),
    Rule(
        "istio_annotation_disabled",
        Leave,
        f"the pod's annotation {ISTIO_INJECT} opts out (vocabulary: istio)",
        _opts_out(opting.istio_annotation),
        "istio",
    ),
    Rule(
        "istio_annotation_enabled",
        Inject,
        f"the pod's annotation {ISTIO_INJECT} opts in, where a label asks as well (vocabulary: istio)",
        opting.istio_annotation_enabled,
        "istio",
    ),
    Rule(
        "never_pod",
        Leave,
        "the mesh configuration's injection.never.pods selects the pod by its labels",
        selection.never_pod,
        "never",
    ),
    Rule(
        "never_namespace",
        Leave,
        "the mesh configuration's injection.never.namespaces selects the namespace by its labels",
        selection.never_namespace,
        "never",
    ),
    Rule(
        "namespace_disabled",
        Leave,
        f"the namespace's label {names.INJECT} opts out",
        lambda subject: subject.home.get(names.INJECT) in OPT_OUT,
    ),
    Rule(
        "always_pod",
        Inject,
        "the mesh configuration's injection.always.pods selects the pod by its labels",
        selection.always_pod,
        "always",
    ),
    Rule(
        "always_namespace",
        Inject,
        "the mesh configuration's injection.always.namespaces selects the namespace by its labels",
        selection.always_namespace,
        "always",
    ),
    Rule(
        "service_account_disabled",
        Leave,
        "the mesh configuration's injection.serviceAccounts opts the pod's service account out",
        lambda subject: selection.account_policy(subject) is Policy.DISABLED,
        "accounts",
    ),
    Rule(
        "service_account_enabled",
        Inject,
        "the mesh configuration's injection.serviceAccounts opts the pod's service account in",
        lambda subject: selection.account_policy(subject) is Policy.ENABLED,
        "accounts",
    ),
    Rule(
        "owner_disabled",
        Leave,
        "the mesh configuration's injection.owners opts out what the kind of the pod's controller makes",
        lambda subject: selection.owner_policy(subject) is Policy.DISABLED,
        "owners",
    ),
    Rule(
        "owner_enabled",
        Inject,
        "the mesh configuration's injection.owners opts in what the kind of the pod's controller makes",
        lambda subject: selection.owner_policy(subject) is Policy.ENABLED,
        "owners",
    ),
    Rule(
        "namespace_enabled",
        Inject,
        f"the namespace's label {names.INJECT} opts in",
        _opts_in(opting.namespace_label),
    ),
    Rule(
        "istio_namespace_enabled",
        Inject,
        f"the namespace's label {ISTIO_INJECTION} opts in (vocabulary: istio)",
        opting.istio_opened,
        "istio",
    ),
    Rule(
        "istio_revision",
        Inject,
        f"the namespace's label {ISTIO_REVISION}, or else the pod's, opts in (vocabulary: istio)",
        opting.istio_revision,
        "istio",
    ),
    Rule(
        "policy_enabled",
        Inject,
        "nobody said anything, and the mesh configuration's injection.policy is enabled",
        lambda subject: subject.configuration.injection.policy is Policy.ENABLED,
    ),
    Rule(
        "not_asked_for",
        Leave,
        "neither the pod nor its namespace asks for a sidecar, and no rule of the configuration does",
        lambda _: True,
    ),
)
