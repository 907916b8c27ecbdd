"""Who is injected: the mesh configuration's section for wishes that stand on no pod and no namespace. Pure.

A selector is one of meta/v1 LabelSelector, and cannot be empty: to Kubernetes that one takes everything.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Final, TypeAlias, assert_never

from msgspec import Meta

from proa import dns
from proa.errors import Invalid, shown
from proa.sections import Section

_NAME: Final = r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?"
LabelKey: TypeAlias = Annotated[str, Meta(pattern=rf"^({dns.SUBDOMAIN}/)?{_NAME}\Z", description="a label's key")]
LabelValue: TypeAlias = Annotated[str, Meta(pattern=rf"^({_NAME})?\Z", description="a label's value, as text")]
Namespace: TypeAlias = Annotated[
    str, Meta(pattern=rf"^{dns.LABEL}\Z", description="a namespace: 1 to 63 of a-z, 0-9 and '-'")
]
ServiceAccount: TypeAlias = Annotated[
    str, Meta(pattern=rf"^{dns.LABEL}/{dns.SUBDOMAIN}\Z", description="a service account as NAMESPACE/NAME")
]
OwnerKind: TypeAlias = Annotated[
    str,
    Meta(
        pattern=rf"^[A-Z][A-Za-z0-9]{{0,62}}(\.{dns.SUBDOMAIN})?\Z",
        description="a kind, such as Job, or with its API group, such as Job.batch",
    ),
]


class Policy(StrEnum):
    """What a pod gets that nobody asked for."""

    DISABLED = "disabled"
    ENABLED = "enabled"


class Unusable(StrEnum):
    """What becomes of a pod whose opt-in or opt-out is neither."""

    DENY = "deny"
    WARN = "warn"
    """The value counts as absent, and a warning says so."""


class Operator(StrEnum):
    IN = "In"
    NOT_IN = "NotIn"
    EXISTS = "Exists"
    DOES_NOT_EXIST = "DoesNotExist"


_LISTING: Final = (Operator.IN, Operator.NOT_IN)


class Requirement(Section, frozen=True):
    """meta/v1 LabelSelectorRequirement."""

    key: LabelKey
    operator: Operator
    values: tuple[LabelValue, ...] = ()

    def __post_init__(self) -> None:
        if bool(self.values) is not (self.operator in _LISTING):
            allowed = "at least one" if self.operator in _LISTING else "none"
            raise Invalid("values", shown([*self.values]), f"{allowed} with {self.operator}")

    def holds(self, labels: Mapping[str, object]) -> bool:
        match self.operator:
            case Operator.IN:
                return labels.get(self.key) in self.values
            case Operator.NOT_IN:
                return labels.get(self.key) not in self.values
            case Operator.EXISTS:
                return self.key in labels
            case Operator.DOES_NOT_EXIST:
                return self.key not in labels
            case _:
                assert_never(self.operator)


class Selector(Section, frozen=True):
    """meta/v1 LabelSelector; all of it must hold."""

    match_labels: dict[LabelKey, LabelValue] = {}  # noqa: RUF012 - msgspec copies an empty default
    match_expressions: tuple[Requirement, ...] = ()

    @property
    def requirements(self) -> tuple[Requirement, ...]:
        """What must hold, in one form."""
        labels = (Requirement(key=k, operator=Operator.IN, values=(v,)) for k, v in self.match_labels.items())
        return (*labels, *self.match_expressions)

    def takes(self, labels: Mapping[str, object]) -> bool:
        """What carries *labels*."""
        for key, value in self.match_labels.items():
            if labels.get(key) != value:
                return False
        return all(each.holds(labels) for each in self.match_expressions)


class Selectors(Section, frozen=True):
    """A pod is taken by its own labels, or by those of its namespace."""

    pods: Selector | None = None
    namespaces: Selector | None = None

    def __post_init__(self) -> None:
        for field, selector in (("pods", self.pods), ("namespaces", self.namespaces)):
            if selector is not None and not selector.requirements:
                found = "an empty selector, which would take everything"
                raise Invalid(field, found, "matchLabels or matchExpressions")

    def takes_pod(self, labels: Mapping[str, object]) -> bool:
        return self.pods is not None and self.pods.takes(labels)

    def takes_namespace(self, labels: Mapping[str, object]) -> bool:
        return self.namespaces is not None and self.namespaces.takes(labels)


class Injection(Section, frozen=True):
    """What the rules of `webhook.decision` ask beside labels and annotations."""

    policy: Policy = Policy.DISABLED
    unusable: Unusable = Unusable.DENY
    enforce: tuple[Namespace, ...] = ()
    """Namespaces whose every pod is injected, whatever it or the namespace says."""
    never: Selectors = Selectors()
    always: Selectors = Selectors()
    owners: dict[OwnerKind, Policy] = {}  # noqa: RUF012
    """By the kind of a pod's controller."""
    service_accounts: dict[ServiceAccount, Policy] = {}  # noqa: RUF012
