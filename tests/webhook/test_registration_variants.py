"""Every configuration's registration asks about what that configuration decides, once, and about nothing else."""

from collections.abc import Iterator, Mapping
from functools import cache
from itertools import product
from typing import Any

import pytest

from proa import names
from proa.errors import Invalid
from proa.mesh import MeshConfiguration, mesh_configuration
from support.registrations import takes_namespace, takes_pod
from webhook.conditions import WORTH_ASKING
from webhook.decision import Leave, NamespaceUnknown, Subject, decision
from webhook.decoding import converted
from webhook.entries import BELIEFS, entries
from webhook.pod import Pod
from webhook.registration import Revision, registration

INJECT, ISTIO, REV = "proa.dev/inject", "sidecar.istio.io/inject", "istio.io/rev"
VARIANTS = {
    "defaults": "{}",
    "policy": "injection: {policy: enabled}",
    "policy but for some namespaces": """
injection: {policy: enabled, never: {namespaces: {matchLabels: {team: web}}, pods: {matchLabels: {app: legacy}}}}""",
    "policy but for namespaces by two labels": """
injection:
  policy: enabled
  never: {namespaces: {matchLabels: {team: web}, matchExpressions: [{key: proa.dev/rev, operator: DoesNotExist}]}}""",
    "always some pods": "injection: {always: {pods: {matchExpressions: [{key: app, operator: NotIn, values: [x]}]}}}",
    "always some namespaces": """
injection:
  always: {namespaces: {matchLabels: {team: web}}, pods: {matchLabels: {app: shop}}}
  never: {pods: {matchExpressions: [{key: app, operator: In, values: [legacy]}]}}
  owners: {Job: disabled}""",
    "owners": "injection: {owners: {Job: disabled, Job.batch.volcano.sh: enabled, ReplicaSet.apps: enabled}}",
    "owners under a policy": "injection: {policy: enabled, owners: {Job: disabled, Job.batch.volcano.sh: enabled}}",
    "accounts": "injection: {serviceAccounts: {demo/batch: disabled, demo/default: enabled}, owners: {Job: disabled}}",
    "enforce": "injection: {enforce: [pay], owners: {Job: disabled}}",
    "unusable values warn": "injection: {unusable: warn, policy: enabled}",
    "unusable values warn, and nobody asks": "injection: {unusable: warn}",
    "istio": "vocabulary: istio",
    "istio under a policy": """
vocabulary: istio
injection: {policy: enabled, never: {pods: {matchLabels: {app: legacy}}}, enforce: [pay]}""",
    "istio with always": """
vocabulary: istio
injection:
  always: {namespaces: {matchLabels: {team: web}}}
  never: {pods: {matchLabels: {app: legacy}}}
  owners: {Job: disabled}""",
    "istio with a namespace that is never injected": """
vocabulary: istio
injection: {policy: enabled, never: {namespaces: {matchLabels: {team: web}}}}""",
    "istio and unusable values warn": "{vocabulary: istio, injection: {unusable: warn}}",
}
REVISIONS = ("", "canary")
JOB = {"kind": "Job", "apiVersion": "batch/v1", "controller": True}
VOLCANO = {"kind": "Job", "apiVersion": "batch.volcano.sh/v1alpha1", "controller": True}
SET = {"kind": "ReplicaSet", "apiVersion": "apps/v1", "controller": True}
OTHER = {"kind": "Job", "apiVersion": "batch/v1", "controller": False}


def some(**choices: tuple[Any, ...]) -> Iterator[dict[str, Any]]:
    for values in product(*choices.values()):
        yield {key: value for key, value in zip(choices, values, strict=True) if value is not None}


def present(found: Mapping[str, Any], **keys: str) -> dict[str, str]:
    return {keys[key]: value for key, value in found.items() if key in keys}


def namespaces(*, istio: bool) -> Iterator[tuple[str, dict[str, str]]]:
    of_istio = {"injection": (None, "enabled", "disabled"), "rev": (None, "canary", "default", "gone")}
    for found in some(
        name=("demo", "pay") if istio else ("demo", "pay", "kube-system"),
        inject=(None, "enabled", "false", "yes"),
        revision=(None, "canary"),
        team=(None, "web"),
        **(of_istio if istio else {}),
    ):
        keys = {
            "inject": INJECT,
            "revision": names.REVISION,
            "team": "team",
            "injection": "istio-injection",
            "rev": REV,
        }
        yield found["name"], present(found, **keys)


def pods(*, istio: bool) -> Iterator[dict[str, Any]]:
    of_istio = {
        "istio": (None, "true", "false", "yes", ""),
        "rev": (None, "canary"),
        "istio_annotation": (None, "true", "false", "yes", ""),
        "label": (None, "enabled"),
        "annotation": (None, "true", "disabled"),
        "app": (None, "legacy"),
    }
    plain = {
        "owner": (None, JOB, VOLCANO, SET, OTHER),
        "account": (None, "batch"),
        "label": (None, "enabled", "disabled", "yes"),
        "annotation": (None, "true", "disabled", "yes"),
        "app": (None, "legacy", "shop"),
    }
    for found in some(**(of_istio if istio else plain)):
        metadata = {
            "labels": present(found, label=INJECT, istio=ISTIO, rev=REV, app="app"),
            "annotations": present(found, annotation=INJECT, istio_annotation=ISTIO),
            "ownerReferences": [found["owner"]] if "owner" in found else [],
        }
        spec = {"containers": [{"name": "app"}], **present(found, account="serviceAccountName")}
        yield {"metadata": {key: value for key, value in metadata.items() if value}, "spec": spec}


@cache
def variant(name: str) -> MeshConfiguration:
    return mesh_configuration(VARIANTS[name])


def seen(pod: Any) -> Pod:
    return converted(pod, Pod, "")


def left(asked: Subject) -> bool:
    try:
        return isinstance(decision(asked), Leave)
    except Invalid:
        return False


def garbage(pod: Any, labels: Mapping[str, str]) -> bool:
    """Whether there is a value to warn of."""
    metadata = pod["metadata"]
    found = [metadata.get("labels", {}), metadata.get("annotations", {})]
    return any("yes" in (each.get(INJECT), each.get(ISTIO)) for each in (*found, labels))


def revision_of(name: str, labels: Mapping[str, str], pod: Any, configuration: MeshConfiguration) -> str:
    """Which revision is to answer: where Istio's labels opt in, Istio's chooses; elsewhere Proa's does."""
    own = labels.get(names.REVISION, "")
    of_pod, annotations = pod["metadata"].get("labels", {}), pod["metadata"].get("annotations", {})
    by_proa = INJECT in labels or INJECT in of_pod or (INJECT in annotations and not of_pod.get(ISTIO))
    if configuration.vocabulary != "istio" or by_proa or name in configuration.injection.enforce:
        return own
    if "istio-injection" in labels:
        return ""
    chosen = labels.get(REV, of_pod.get(REV))
    return own if chosen is None else "" if chosen == "default" else chosen


def harmless(name: str, labels: Mapping[str, str], configuration: MeshConfiguration) -> bool:
    """Whether the namespace's labels are why nobody can keep the pod away: expressions do not see them."""
    rules = configuration.injection
    never, always = rules.never.namespaces is not None, rules.always.namespaces is not None
    return ((never or always) and labels.get("team") == "web" and name not in rules.enforce) or always


@pytest.mark.parametrize("name", VARIANTS)
def test_what_is_decided_is_sent_once_and_nothing_else_is(name: str) -> None:
    configuration = variant(name)
    istio = configuration.vocabulary == "istio"
    entries_of = {
        revision: registration(Revision(revision), configuration=configuration)["webhooks"]  # type: ignore[call-overload, index]
        for revision in REVISIONS
    }
    everyone = [(revision, entry) for revision, found in entries_of.items() for entry in found]
    homes = list(namespaces(istio=istio))
    by_home = {
        number: {index for index, (_, entry) in enumerate(everyone) if takes_namespace(entry, *home)}
        for number, home in enumerate(homes)
    }
    needed = set().union(*by_home.values())
    for pod in pods(istio=istio):
        # The namespace's name is all that an expression sees of it.
        by_name = {
            place: {index for index in needed if takes_pod(everyone[index][1], place, pod)} for place in ("demo", "pay")
        }
        view = seen(pod)
        for number, (place, labels) in enumerate(homes):
            found = by_home[number] & by_name.get(place, set())
            assert len(found) <= 1, (place, labels, pod, [everyone[index][1]["name"] for index in found])
            asked = Subject(view, place, labels, configuration)
            served = revision_of(place, labels, pod, configuration)
            decided = not left(asked)
            if decided and served in REVISIONS:
                assert [everyone[index][0] for index in found] == [served], (place, labels, pod)
            elif found and not (garbage(pod, labels) and configuration.injection.unusable == "warn"):
                assert harmless(place, labels, configuration), (place, labels, pod, everyone[found.pop()][1]["name"])


@pytest.mark.parametrize("name", VARIANTS)
def test_an_expression_says_in_cel_what_the_explanation_says_of_it(name: str) -> None:
    configuration = variant(name)
    conditions = {each for entry in entries("", configuration) for each in (*WORTH_ASKING, *entry.conditions)}
    for pod in pods(istio=configuration.vocabulary == "istio"):
        asked = Subject(seen(pod), "demo", None, configuration)
        for each in conditions:
            entry = {
                "objectSelector": {"matchExpressions": []},
                "matchConditions": [{"expression": each.holds.cel}],
            }
            # A label that opts out is kept away by every selector beside these expressions.
            if pod["metadata"].get("labels", {}).get(ISTIO) != "false" or configuration.vocabulary == "proa":
                assert takes_pod(entry, "demo", pod) == each.holds.holds(asked), (each.name, pod)


@pytest.mark.parametrize("name", VARIANTS)
def test_an_entrys_path_is_enough_to_decide_where_a_label_brought_the_pod(name: str) -> None:
    configuration = variant(name)
    pod = {"metadata": {}, "spec": {"containers": [{"name": "app"}]}}
    for path, belief in BELIEFS.items():
        asked = Subject(seen(pod), "demo", belief(None), configuration)
        try:
            decided = not left(asked)
        except NamespaceUnknown:
            assert path == "/inject"
        else:
            assert decided or (path == "/inject/istio" and configuration.vocabulary == "proa")


def test_no_configuration_renames_or_drops_an_entry() -> None:
    made = {
        tuple(each["name"] for each in registration(Revision(), configuration=variant(name))["webhooks"])  # type: ignore[call-overload, index]
        for name in VARIANTS
    }
    assert len(made) == 1
