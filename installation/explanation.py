"""Why a pod is or is not injected: every rule, every webhook entry, the patch. What `proa explain` shows. Pure.

The rules are asked one by one as `webhook.decision.decision` asks them, and the registrations are those that the API
server holds: nothing here decides anything a second time.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import msgspec

from installation.selectors import unmet
from installation.trees import listed, member, text, texts
from proa.errors import ProaError
from proa.json import Json
from proa.mesh import MeshConfiguration
from webhook.decision import OPT_OUT, RULES, Inject, Rule, Subject
from webhook.injection import injection
from webhook.operations import Add, Operation, Remove
from webhook.pod import Pod
from webhook.sidecar import Sidecar


class Answer(StrEnum):
    NO = "no"
    YES = "yes"
    REFUSED = "refused"
    """What the rule looks at cannot be used."""
    NOT_REACHED = "not reached"


@dataclass(frozen=True, slots=True)
class Step:
    """A rule of the decision and what came of it; *note* says what a refusing rule found."""

    code: str
    sentence: str
    answer: Answer
    note: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """An entry of a registration: *stopped* is the first thing that keeps the pod from it, empty where nothing does."""

    configuration: str
    entry: str
    fails: str
    """`Fail` or `Ignore`: what becomes of the pod while no webhook answers."""
    stopped: str


class Verdict(StrEnum):
    INJECTED = "injected"
    LEFT = "left"
    REFUSED = "refused"
    NOT_ASKED = "not asked"
    """No registration matches: the API server asks nobody, and the pod gets in as it is."""


@dataclass(frozen=True, slots=True)
class Edit:
    """An operation of the patch (RFC 6902) at *path* (RFC 6901): `add` with its *value*, or `remove`."""

    operation: str
    path: str
    value: Json = None


@dataclass(frozen=True, slots=True)
class Explanation:
    """*conclusion* is one sentence for people; *edits* are empty unless the verdict is that it is injected."""

    verdict: Verdict
    conclusion: str
    steps: tuple[Step, ...]
    entries: tuple[Asked, ...]
    edits: tuple[Edit, ...]


def explanation(subject: Subject, pod: Json, registrations: Iterable[Json], sidecar: Sidecar) -> Explanation:
    """What the cluster does when *pod*, which is that of *subject*, is created.

    *registrations* are MutatingWebhookConfigurations: Proa's, whichever revision they are of.
    """
    steps = tuple(_steps(subject))
    entries = tuple(_entries(subject, texts(pod, "metadata", "labels"), registrations))
    if all(entry.stopped for entry in entries):
        return Explanation(Verdict.NOT_ASKED, _unasked(steps, entries), steps, entries, ())
    try:
        planned = injection(subject, sidecar, lambda: pod)
    except ProaError as refusal:
        return Explanation(Verdict.REFUSED, f"the webhook refuses the pod: {refusal}", steps, entries, ())
    sentence = planned.decision.reason.sentence
    if not isinstance(planned.decision, Inject):
        return Explanation(Verdict.LEFT, f"the pod stays as it is: {sentence}", steps, entries, ())
    edits = tuple(map(_edit, planned.operations))
    return Explanation(Verdict.INJECTED, f"the pod is injected: {sentence}", steps, entries, edits)


def _edit(operation: Operation) -> Edit:
    match operation:
        case Add(path, value):
            return Edit("add", path, msgspec.json.decode(value))
        case Remove(path):
            return Edit("remove", path)


def _unasked(steps: tuple[Step, ...], entries: tuple[Asked, ...]) -> str:
    if not entries:
        return "the API server asks nobody, so the pod gets in as it is: no registration of Proa is installed"
    decided = next((step for step in steps if step.answer is Answer.YES), None)
    because = f": {decided.sentence}" if decided and not _wants(decided) else ": no entry of a registration matches"
    return f"the API server does not ask the webhook, so the pod gets in as it is{because}"


def _wants(step: Step) -> bool:
    return any(rule.code == step.code and rule.verdict is Inject for rule in RULES)


def _steps(subject: Subject) -> Iterator[Step]:
    reached = True
    for rule in RULES:
        step = _asked(rule, subject) if reached else Step(rule.code, rule.sentence, Answer.NOT_REACHED)
        yield step
        reached = reached and step.answer is Answer.NO


def _asked(rule: Rule, subject: Subject) -> Step:
    try:
        applies = rule.applies(subject)
    except ProaError as refusal:
        return Step(rule.code, rule.sentence, Answer.REFUSED, str(refusal))
    return Step(rule.code, rule.sentence, Answer.YES if applies else Answer.NO)


def _entries(subject: Subject, labels: Mapping[str, str], registrations: Iterable[Json]) -> Iterator[Asked]:
    # The API server labels every namespace with its name, also one that the file at hand does not.
    of_namespace = {**(subject.namespace_labels or {}), "kubernetes.io/metadata.name": subject.namespace}
    for registration in registrations:
        for webhook in listed(registration, "webhooks"):
            yield Asked(
                configuration=text(registration, "metadata", "name"),
                entry=text(webhook, "name"),
                fails=text(webhook, "failurePolicy"),
                stopped=next(_stops(webhook, of_namespace, labels, subject.pod), ""),
            )


def _stops(webhook: Json, namespace: Mapping[str, str], labels: Mapping[str, str], pod: Pod) -> Iterator[str]:
    yield from (f"its namespaceSelector {each}" for each in unmet(member(webhook, "namespaceSelector"), namespace))
    yield from (f"its objectSelector {each}" for each in unmet(member(webhook, "objectSelector"), labels))
    for condition in listed(webhook, "matchConditions"):
        name = text(condition, "name")
        holds = _CONDITIONS.get(name)
        if holds is None:
            yield f"its match condition {name!r} is not known to this version of the command"
        elif not holds(pod):
            yield f"its match condition {name!r} does not hold"


def _applies(code: str, pod: Pod) -> bool:
    """Whether a rule of the decision that looks at nothing but the pod applies to it."""
    (rule,) = (each for each in RULES if each.code == code)
    return rule.applies(Subject(pod, "", None, MeshConfiguration()))


_CONDITIONS: Final[Mapping[str, Callable[[Pod], bool]]] = {
    "not-host-network": lambda pod: not _applies("host_network", pod),
    "not-windows": lambda pod: not _applies("windows", pod),
    "annotated": lambda pod: isinstance(pod.annotations.inject, str),
    "not-opted-out": lambda pod: pod.annotations.inject not in OPT_OUT,
}
"""The CEL conditions of `webhook.registration` by name: each keeps away what the decision would leave alone."""
