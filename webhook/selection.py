"""Which pods the configuration's selectors, owner kinds and service accounts take. Pure."""

from proa.injection import Policy
from webhook.opting import Subject
from webhook.pod import OwnerReference


def never_pod(subject: Subject) -> bool:
    return subject.configuration.injection.never.takes_pod(subject.pod.labels)


def never_namespace(subject: Subject) -> bool:
    selectors = subject.configuration.injection.never
    return selectors.namespaces is not None and selectors.takes_namespace(subject.home)


def always_pod(subject: Subject) -> bool:
    return subject.configuration.injection.always.takes_pod(subject.pod.labels)


def always_namespace(subject: Subject) -> bool:
    selectors = subject.configuration.injection.always
    return selectors.namespaces is not None and selectors.takes_namespace(subject.home)


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
