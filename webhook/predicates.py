"""Something that holds of a pod or does not, as CEL for the API server and as a function for whoever explains it. Pure.

An absent field is an error in CEL, and an error is failurePolicy's: every field is asked for first. Keys, values and
kinds are those of Kubernetes, none of which holds a quote: `proa.injection` lets no other in.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, assert_never

from msgspec import UNSET

from proa import names
from proa.injection import Injection, Operator, Policy, Requirement, Selector
from webhook import selection
from webhook.opting import Subject


@dataclass(frozen=True, slots=True)
class Predicate:
    """Something that holds of a pod or does not, whatever the labels of its namespace are."""

    cel: str
    holds: Callable[[Subject], bool]


ALWAYS: Final = Predicate("true", lambda _: True)
NEVER: Final = Predicate("false", lambda _: False)


def selected(selector: Selector | None) -> Predicate:
    """*selector* on the pod's labels; none takes nothing."""
    return NEVER if selector is None else every(*map(_requirement, selector.requirements))


def _requirement(requirement: Requirement) -> Predicate:
    there, listed = labelled(requirement.key), label_in(requirement.key, requirement.values)
    match requirement.operator:
        case Operator.IN:
            return every(there, listed)
        case Operator.NOT_IN:
            return negated(every(there, listed))
        case Operator.EXISTS:
            return there
        case Operator.DOES_NOT_EXIST:
            return negated(there)
        case _:
            assert_never(requirement.operator)


def accounts(rules: Injection, policy: Policy) -> Predicate:
    listed = [account for account, wanted in rules.service_accounts.items() if wanted is policy]
    name = "(has(object.spec.serviceAccountName) ? object.spec.serviceAccountName : 'default')"
    cel = f"(request.namespace + '/' + {name}) in {_list(listed)}"
    return Predicate(cel, lambda subject: selection.account_policy(subject) is policy) if listed else NEVER


def owners(rules: Injection, policy: Policy) -> Predicate:
    kinds = [_kind(kind, rules) for kind, wanted in rules.owners.items() if wanted is policy]
    exists = f"exists(owner, has(owner.controller) && owner.controller && ({' || '.join(kinds)}))"
    cel = f"(has(object.metadata.ownerReferences) && object.metadata.ownerReferences.{exists})"
    return Predicate(cel, lambda subject: selection.owner_policy(subject) is policy) if kinds else NEVER


def _kind(key: str, rules: Injection) -> str:
    """A kind with its API group wins over the kind alone."""
    kind, _, group = key.partition(".")
    same = f"owner.kind == '{kind}'"
    if group:
        return f"({same} && owner.apiVersion.startsWith('{group}/'))"
    groups = [other.partition(".")[2] for other in rules.owners if other.startswith(f"{kind}.")]
    return " && ".join((same, *(f"!owner.apiVersion.startsWith('{each}/')" for each in groups)))


def labelled(key: str) -> Predicate:
    return Predicate(_there("labels", key), lambda subject: key in subject.pod.labels)


def annotated(key: str) -> Predicate:
    return Predicate(_there("annotations", key), lambda subject: _annotation(subject, key) is not UNSET)


def label_in(key: str, values: Iterable[str]) -> Predicate:
    """Of a key that is there."""
    allowed = tuple(values)
    return Predicate(f"object.metadata.labels['{key}'] in {_list(allowed)}", lambda s: s.pod.labels.get(key) in allowed)


def annotation_in(key: str, values: Iterable[str]) -> Predicate:
    """Of a key that is there."""
    allowed = tuple(values)
    cel = f"object.metadata.annotations['{key}'] in {_list(allowed)}"
    return Predicate(cel, lambda subject: _annotation(subject, key) in allowed)


def _annotation(subject: Subject, key: str) -> object:
    found = subject.pod.annotations
    return found.inject if key == names.INJECT else found.istio_inject


def _there(where: str, key: str) -> str:
    return f"(has(object.metadata.{where}) && '{key}' in object.metadata.{where})"


def _list(values: Iterable[str]) -> str:
    return f"[{', '.join(map(repr, values))}]"


def negated(test: Predicate) -> Predicate:
    if test in (ALWAYS, NEVER):
        return NEVER if test is ALWAYS else ALWAYS
    return Predicate(f"!({test.cel})", lambda subject: not test.holds(subject))


def every(*tests: Predicate) -> Predicate:
    kept = [each for each in tests if each is not ALWAYS]
    if NEVER in kept:
        return NEVER
    return kept[0] if len(kept) == 1 else _joined(kept, "&&", all) if kept else ALWAYS


def either(*tests: Predicate) -> Predicate:
    kept = [each for each in tests if each is not NEVER]
    if ALWAYS in kept:
        return ALWAYS
    return kept[0] if len(kept) == 1 else _joined(kept, "||", any) if kept else NEVER


def _joined(tests: list[Predicate], operator: str, hold: Callable[[Iterable[bool]], bool]) -> Predicate:
    cel = f" {operator} ".join(dict.fromkeys(each.cel for each in tests))
    return Predicate(f"({cel})", lambda subject: hold(each.holds(subject) for each in tests))
