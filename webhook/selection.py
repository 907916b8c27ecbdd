"""Which pods the configuration's selectors, owner kinds and service accounts take. Pure."""

from collections.abc import Mapping
from typing import assert_never

from proa.injection import Operator, Policy, Requirement, Selector
from webhook.opting import Subject
from webhook.pod import OwnerReference


def never_pod(subject: Subject) -> bool:
    return _takes(subject.configuration.injection.never.pods, subject.pod.labels)


def never_namespace(subject: Subject) -> bool:
    selector = subject.configuration.injection.never.namespaces
    return selector is not None and _takes(selector, subject.home)


def always_pod(subject: Subject) -> bool:
    return _takes(subject.configuration.injection.always.pods, subject.pod.labels)


def always_namespace(subject: Subject) -> bool:
    selector = subject.configuration.injection.always.namespaces
    return selector is not None and _takes(selector, subject.home)


def account_policy(subject: Subject) -> Policy | None:
    """What the configuration says of the pod's service account."""
    rules = subject.configuration.injection.service_accounts
    return rules.get(subject.service_account) if rules else None


def owner_policy(subject: Subject) -> Policy | None:
    """What the configuration says of the kind of the pod's controller; the kind with its API group wins."""
    rules, owner = subject.configuration.injection.owners, subject.controller
    if not rules or owner is None:
        return None
    return rules.get(f"{owner.kind}.{group(owner)}", rules.get(owner.kind))


def group(owner: OwnerReference) -> str:
    """The API group of *owner*, empty for the core one."""
    return owner.api_version.rpartition("/")[0]


def _takes(selector: Selector | None, labels: Mapping[str, object]) -> bool:
    """meta/v1 LabelSelector; none takes nothing."""
    if selector is None:
        return False
    for key, value in selector.match_labels.items():
        if labels.get(key) != value:
            return False
    return all(_holds(each, labels) for each in selector.match_expressions)


def _holds(requirement: Requirement, labels: Mapping[str, object]) -> bool:
    match requirement.operator:
        case Operator.IN:
            return labels.get(requirement.key) in requirement.values
        case Operator.NOT_IN:
            return labels.get(requirement.key) not in requirement.values
        case Operator.EXISTS:
            return requirement.key in labels
        case Operator.DOES_NOT_EXIST:
            return requirement.key not in labels
        case _:
            assert_never(requirement.operator)
