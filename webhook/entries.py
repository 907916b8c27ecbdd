"""The entries of a registration: the ways in which a pod comes to be asked about, for one configuration. Pure."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from proa import names
from proa.injection import Operator, Selector
from proa.injection import Requirement as Selected
from proa.json import Json
from proa.mesh import MeshConfiguration, Vocabulary
from proa.namespaces import ISTIO_ENABLED, ISTIO_INJECTION, ISTIO_REVISION, OPT_OUT
from webhook.conditions import Condition, Questions
from webhook.decision import opted_in, opted_in_to_istio
from webhook.pod import ISTIO_INJECT
from webhook.predicates import NEVER

Requirement: TypeAlias = dict[str, Json]
"""meta/v1 LabelSelectorRequirement."""
Belief: TypeAlias = Callable[[Mapping[str, str] | None], Mapping[str, str] | None]
"""What is believed of a namespace's labels as this process has seen them."""

INJECT_PATH: Final = "/inject"
NAMESPACE_PATH: Final = "/inject/namespace"
"""Where a pod is sent because of its namespace's label: the webhook so knows that label to be there, although it may
not have seen it itself yet."""
ISTIO_PATH: Final = "/inject/istio"
"""The same, of Istio's labels."""
BELIEFS: Final[Mapping[str, Belief]] = {
    INJECT_PATH: lambda labels: labels,
    NAMESPACE_PATH: opted_in,
    ISTIO_PATH: opted_in_to_istio,
}
NAMESPACE_NAME: Final = "kubernetes.io/metadata.name"
"""The label that the API server gives to every namespace."""
NOWHERE: Final = "NOWHERE"
"""The name of no namespace, as those are written small: what makes an entry match nothing, and a list not empty."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One of the ways to be asked about: the labels that select for it, and what else must hold of the pod (CEL)."""

    name: str
    namespace: tuple[Requirement, ...]
    pod: tuple[Requirement, ...]
    conditions: tuple[Condition, ...] = ()
    path: str = INJECT_PATH


def is_in(key: str, *values: str) -> Requirement:
    return {"key": key, "operator": "In", "values": list(values)}


def is_not_in(key: str, *values: str) -> Requirement:
    """Holds without the label, too."""
    return {"key": key, "operator": "NotIn", "values": list(values)}


def is_there(key: str) -> Requirement:
    return {"key": key, "operator": "Exists"}


def is_absent(key: str) -> Requirement:
    return {"key": key, "operator": "DoesNotExist"}


def entries(revision: str, configuration: MeshConfiguration) -> Iterator[Entry]:
    """All entries of *revision*, empty for the default one, in every configuration: one that has nothing to ask about
    in this one selects no namespace.

    Names and their number are for ever: each entry is the leader's too, by its caBundle, so that a server-side apply
    without it leaves a rest of it, which the API server refuses.
    """
    made = _Entries(revision, configuration)
    yield from made.by_proas_names()
    yield from made.by_configuration()
    yield from made.by_istios_names()


class _Entries:
    """The pod's label before anything else; only without one its annotation and its namespace, as in the decision."""

    def __init__(self, revision: str, configuration: MeshConfiguration) -> None:
        self._revision, self._rules = revision, configuration.injection
        self._istio = configuration.vocabulary is Vocabulary.ISTIO
        self._asks = Questions(configuration)
        own = is_in(names.REVISION, revision) if revision else is_absent(names.REVISION)
        self._free = is_not_in(NAMESPACE_NAME, NOWHERE, *self._rules.enforce)
        self._ours = (own, self._free)
        self._enforced = (own, is_in(NAMESPACE_NAME, NOWHERE, *self._rules.enforce))
        self._unlabelled = (is_absent(names.INJECT), *((is_not_in(ISTIO_INJECT, "false"),) if self._istio else ()))
        """Pods without Proa's label that Istio's does not opt out."""

    def by_proas_names(self) -> Iterator[Entry]:
        """A selector cannot say "absent or one of", so an annotation has two entries: one for each kind of namespace
        that does not opt in by itself. Whatever is no opt-out is sent, so that what is neither is refused with words.
        """
        asked = (is_there(names.INJECT), is_not_in(names.INJECT, *OPT_OUT))
        kept = Condition("kept", self._asks.kept)
        alone = Condition("asks-by-annotation", self._asks.asks_by_annotation)
        itself = Condition("asks-by-itself", self._asks.asks_by_itself)
        yield Entry("pod-label", self._ours, asked)
        yield Entry("namespace", (*self._ours, *asked), self._unlabelled, (kept,), NAMESPACE_PATH)
        yield Entry("pod-annotation", (*self._ours, is_absent(names.INJECT)), self._unlabelled, (alone,))
        opted_out = is_in(names.INJECT, *OPT_OUT)
        yield Entry("pod-annotation-only", (*self._ours, opted_out), self._unlabelled, (itself,))

    def by_configuration(self) -> Iterator[Entry]:
        """What nobody asked for, and what nobody may refuse."""
        asks, always = self._asks, self._rules.always.namespaces
        wanted = Condition("configured", asks.configured)
        beside = Condition("configured-by-namespace", asks.configured_by_namespace)
        where = self._open(*self._ours, *_outside(self._rules.never.namespaces, turned=not self._istio))
        listed = () if always is None else tuple(_requirement(each.operator, each) for each in always.requirements)
        yield _opened(Entry("enforced", self._enforced, ()), bool(self._rules.enforce))
        yield _opened(Entry("configured", where, self._silent(), (wanted,)), wanted.holds is not NEVER)
        unasked = Entry("configured-namespace", (*where, *listed), self._silent(), (beside,))
        yield _opened(unasked, bool(listed) and beside.holds is not NEVER)

    def by_istios_names(self) -> Iterator[Entry]:
        """As Istio's own entries are (its chart's mutatingwebhook.yaml): there, too, istio-injection is the default
        revision's, and where it stands no revision is looked at.
        """
        kept = (Condition("kept-by-istio", self._asks.kept_by_istio),)
        named = is_in(ISTIO_REVISION, self._revision or "default")
        free, default = (self._free, is_absent(names.INJECT)), self._istio and not self._revision
        enabled = (*free, is_in(ISTIO_INJECTION, ISTIO_ENABLED))
        revised = (*free, is_absent(ISTIO_INJECTION), named)
        of_pod = (*self._unlabelled, named)
        yield _opened(Entry("istio-namespace", enabled, self._unlabelled, kept, ISTIO_PATH), default)
        yield _opened(Entry("istio-revision", revised, self._unlabelled, kept, ISTIO_PATH), self._istio)
        yield _opened(Entry("istio-pod-revision", self._open(self._free), of_pod, kept), self._istio)

    def _open(self, *more: Requirement) -> tuple[Requirement, ...]:
        """Namespaces that say nothing."""
        said = (names.INJECT, ISTIO_INJECTION, ISTIO_REVISION) if self._istio else (names.INJECT,)
        return (*more, *map(is_absent, said))

    def _silent(self) -> tuple[Requirement, ...]:
        """Pods whose labels name no revision, which would be another entry's."""
        return (*self._unlabelled, is_absent(ISTIO_REVISION)) if self._istio else self._unlabelled


def _opened(entry: Entry, asks: bool) -> Entry:  # noqa: FBT001 - the sentence reads on
    """*entry* if it has anything to ask about; else one of its name that selects no namespace."""
    return entry if asks else Entry(entry.name, (is_in(NAMESPACE_NAME, NOWHERE),), (), path=entry.path)


def _outside(selector: Selector | None, *, turned: bool) -> Iterator[Requirement]:
    """A selector can be turned round if it requires one thing. Istio's label beats `never`: there it may not be."""
    if turned and selector is not None and len(selector.requirements) == 1:
        (only,) = selector.requirements
        yield _requirement(_OPPOSITE[only.operator], only)


_OPPOSITE: Final = {
    Operator.IN: Operator.NOT_IN,
    Operator.NOT_IN: Operator.IN,
    Operator.EXISTS: Operator.DOES_NOT_EXIST,
    Operator.DOES_NOT_EXIST: Operator.EXISTS,
}


def _requirement(operator: Operator, found: Selected) -> Requirement:
    listed: Requirement = {"values": list(found.values)} if found.values else {}
    return {"key": found.key, "operator": operator.value, **listed}
