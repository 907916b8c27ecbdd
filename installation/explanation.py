"""Why a pod is or is not injected: every rule, every webhook entry, the patch. What `proa explain` shows. Pure.

The rules are asked one by one as `webhook.decision.decision` asks them, and the registrations are those that the API
server holds: nothing here decides anything a second time.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain
from typing import TypeAlias

import msgspec

from installation.selectors import unmet
from installation.trees import listed, member, text, texts
from proa import names
from proa.errors import ProaError
from proa.json import Json
from proa.namespaces import ISTIO_INJECTION, ISTIO_REVISION
from webhook.conditions import WORTH_ASKING
from webhook.decision import RULES, Inject, Rule, Subject
from webhook.entries import NAMESPACE_NAME, NOWHERE, entries
from webhook.injection import injection
from webhook.istio import is_istios
from webhook.operations import Add, Operation, Remove
from webhook.pod import ISTIO_INJECT
from webhook.predicates import Predicate
from webhook.sidecar import Sidecar
from webhook.verdicts import parts

_Conditions: TypeAlias = Mapping[tuple[str, str], Predicate]
"""By name and expression."""


class Answer(StrEnum):
    NO = "no"
    YES = "yes"
    REFUSED = "refused"
    """What the rule looks at cannot be used."""
    NOT_REACHED = "not reached"
    NOT_CONFIGURED = "not configured"
    """It asks what this mesh configuration does not set."""


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
    warnings: tuple[str, ...] = ()
    """What kubectl prints to whoever creates the pod."""
    interception: tuple[str, ...] = ()
    """Arguments of `proa-init`, where the pod is injected: what of its traffic is not as everywhere."""


def explanation(subject: Subject, pod: Json, registrations: Iterable[Json], sidecar: Sidecar) -> Explanation:
    """What the cluster does when *pod*, which is that of *subject*, is created.

    *registrations* are MutatingWebhookConfigurations: Proa's, whichever revision they are of.
    """
    steps = tuple(_steps(subject))
    asked = tuple(_entries(subject, texts(pod, "metadata", "labels"), registrations))
    if all(entry.stopped for entry in asked):
        conclusion = _unasked(steps, asked, carrying=subject.pod.carries_sidecar)
        return Explanation(Verdict.NOT_ASKED, conclusion, steps, asked, ())
    try:
        planned = injection(subject, sidecar, lambda: pod)
    except ProaError as refusal:
        return Explanation(Verdict.REFUSED, f"the webhook refuses the pod: {refusal}", steps, asked, ())
    sentence, warned = planned.decision.reason.sentence, planned.warnings
    if not isinstance(planned.decision, Inject):
        return Explanation(Verdict.LEFT, f"the pod stays as it is: {sentence}", steps, asked, (), warned)
    edits, intercepting = tuple(map(_edit, planned.operations)), planned.given.settings.intercepting
    return Explanation(Verdict.INJECTED, f"the pod is injected: {sentence}", steps, asked, edits, warned, intercepting)


def unread(subject: Subject) -> tuple[str, ...]:
    """A note where Istio's names stand and are not read: who moves from Istio wonders."""
    if subject.reads_istio:
        return ()
    home = {key for key in (ISTIO_INJECTION, ISTIO_REVISION) if key in (subject.namespace_labels or {})}
    pod = {key for key in (ISTIO_INJECT, ISTIO_REVISION) if key in subject.pod.labels}
    annotated = {key for key in subject.pod.annotations.values if key == ISTIO_INJECT or is_istios(key)}
    found = ", ".join(sorted(home | pod | annotated))
    return (f"{found} is there and not read: the mesh configuration says vocabulary: proa",) if found else ()


def _edit(operation: Operation) -> Edit:
    match operation:
        case Add(path, value):
            return Edit("add", path, msgspec.json.decode(value))
        case Remove(path):
            return Edit("remove", path)


def _unasked(steps: tuple[Step, ...], asked: tuple[Asked, ...], *, carrying: bool) -> str:
    comes = (
        "so the pod gets in as it is, with the sidecar that it carries" if carrying else "so the pod gets in as it is"
    )
    if not asked:
        return f"the API server asks nobody, {comes}: no registration of Proa is installed"
    decided = next((step for step in steps if step.answer is Answer.YES), None)
    because = f": {decided.sentence}" if decided and not _wants(decided) else ": no entry of a registration matches"
    return f"the API server does not ask the webhook, {comes}{because}"


def _wants(step: Step) -> bool:
    return any(rule.code == step.code and rule.verdict is Inject for rule in RULES)


def _steps(subject: Subject) -> Iterator[Step]:
    reached = True
    for rule in RULES:
        step = _asked(rule, subject) if reached else Step(rule.code, rule.sentence, Answer.NOT_REACHED)
        yield step
        reached = reached and step.answer in (Answer.NO, Answer.NOT_CONFIGURED)


def _asked(rule: Rule, subject: Subject) -> Step:
    if rule.needs not in parts(subject.configuration):
        return Step(rule.code, rule.sentence, Answer.NOT_CONFIGURED)
    try:
        applies = rule.applies(subject)
    except ProaError as refusal:
        return Step(rule.code, rule.sentence, Answer.REFUSED, str(refusal))
    return Step(rule.code, rule.sentence, Answer.YES if applies else Answer.NO)


def _entries(subject: Subject, labels: Mapping[str, str], registrations: Iterable[Json]) -> Iterator[Asked]:
    # The API server labels every namespace with its name, also one that the file at hand does not.
    of_namespace = {**(subject.namespace_labels or {}), NAMESPACE_NAME: subject.namespace}
    for registration in registrations:
        known = _conditions(subject, text(registration, "metadata", "name"))
        for webhook in listed(registration, "webhooks"):
            if not _is_shut(webhook):
                by_labels = _unselected(webhook, of_namespace, labels)
                yield Asked(
                    configuration=text(registration, "metadata", "name"),
                    entry=text(webhook, "name"),
                    fails=text(webhook, "failurePolicy"),
                    stopped=next(chain(by_labels, _unmet_conditions(webhook, subject, known)), ""),
                )


def _is_shut(webhook: Json) -> bool:
    """Whether it has nothing to ask about in the configuration that the registration was made of."""
    selector = listed(webhook, "namespaceSelector", "matchExpressions")
    return any(text(each, "operator") == "In" and listed(each, "values") == [NOWHERE] for each in selector)


def _conditions(subject: Subject, registration: str) -> _Conditions:
    """Those of the configuration in force."""
    revision = registration.removeprefix(names.WEBHOOK).removeprefix("-")
    made = (each for entry in entries(revision, subject.configuration) for each in (*WORTH_ASKING, *entry.conditions))
    return {(each.name, each.holds.cel): each.holds for each in made}


def _unselected(webhook: Json, namespace: Mapping[str, str], labels: Mapping[str, str]) -> Iterator[str]:
    yield from (f"its namespaceSelector {each}" for each in unmet(member(webhook, "namespaceSelector"), namespace))
    yield from (f"its objectSelector {each}" for each in unmet(member(webhook, "objectSelector"), labels))


def _unmet_conditions(webhook: Json, subject: Subject, known: _Conditions) -> Iterator[str]:
    for condition in listed(webhook, "matchConditions"):
        name = text(condition, "name")
        predicate = known.get((name, text(condition, "expression")))
        if predicate is None:
            yield f"its match condition {name!r} is not known: it is of another version, or of another configuration"
        elif not predicate.holds(subject):
            yield f"its match condition {name!r} does not hold"
