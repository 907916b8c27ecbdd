"""What pods and namespaces say about injection, in Proa's own names and, where they are read, in Istio's. Pure.

Istio's names: https://istio.io/latest/docs/reference/config/labels/ and its injection template's selectors.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar, Final

from msgspec import UNSET

from proa import names
from proa.errors import Invalid, ProaError, shown
from proa.injection import Unusable
from proa.mesh import MeshConfiguration, Vocabulary
from proa.namespaces import ISTIO_REVISION, OPT_OUT, WISHES, istio_closes, istio_opens, istio_revises
from webhook.pod import ISTIO_INJECT, OwnerReference, Pod

_ISTIO_WISHES: Final[Mapping[str, bool]] = {"true": True, "false": False}


@dataclass(frozen=True, slots=True)
class Subject:
    """All that a decision may look at. *namespace_labels* is None where this process has not seen the namespace;
    *owner* is what will own the pods of a template, which do not say so yet.
    """

    pod: Pod
    namespace: str
    namespace_labels: Mapping[str, str] | None
    configuration: MeshConfiguration
    owner: OwnerReference | None = None

    @property
    def reads_istio(self) -> bool:
        return self.configuration.vocabulary is Vocabulary.ISTIO

    @property
    def controller(self) -> OwnerReference | None:
        return self.owner or self.pod.controller

    @property
    def service_account(self) -> str:
        """As NAMESPACE/NAME."""
        spec = self.pod.spec
        return f"{self.namespace}/{spec.service_account_name or spec.service_account or 'default'}"

    @property
    def home(self) -> Mapping[str, str]:
        """The namespace's labels. Raises NamespaceUnknown."""
        if self.namespace_labels is None:
            raise NamespaceUnknown(self.namespace)
        return self.namespace_labels


@dataclass(eq=False)
class NamespaceUnknown(ProaError):
    """The pod's namespace decides and is not known here yet: the same request may succeed soon."""

    code: ClassVar[str] = "namespace_unknown"
    namespace: str

    def __str__(self) -> str:
        return f"the labels of namespace {self.namespace!r} are not known to this webhook yet: try again"


@dataclass(frozen=True, slots=True)
class Wish:
    """One place where a pod or namespace says something: *value* at *field*, which *known* values may stand in."""

    field: str
    value: object
    known: Mapping[str, bool]

    @property
    def problem(self) -> Invalid | None:
        """What is wrong with a value that is neither an opt-in nor an opt-out."""
        if isinstance(self.value, str) and self.value in self.known:
            return None
        return Invalid(self.field, shown(self.value), ", ".join(self.known))

    def __str__(self) -> str:
        return f"{self.field}: {shown(self.value)}"


def meant(wish: Wish | None, subject: Subject) -> bool | None:
    """What *wish* asks for: None where there is none, or where what cannot be read counts as absent. Raises Invalid."""
    if wish is None:
        return None
    if isinstance(wish.value, str) and wish.value in wish.known:
        return wish.known[wish.value]
    problem = wish.problem
    if problem is not None and subject.configuration.injection.unusable is Unusable.DENY:
        # Istio warns of such a value in its own log and goes on: `yes` opts in by accident of the default.
        raise problem
    return None


def pod_label(subject: Subject) -> Wish | None:
    labels = subject.pod.labels
    return Wish(_label(names.INJECT), labels[names.INJECT], WISHES) if names.INJECT in labels else None


def pod_annotation(subject: Subject) -> Wish | None:
    value = subject.pod.annotations.inject
    return None if value is UNSET else Wish(_annotation(names.INJECT), value, WISHES)


def namespace_label(subject: Subject) -> Wish | None:
    value = subject.home.get(names.INJECT)
    return None if value is None else Wish(f"{_label(names.INJECT)} of namespace {subject.namespace}", value, WISHES)


def istio_label(subject: Subject) -> Wish | None:
    """An empty one says nothing, there as here."""
    value = subject.pod.labels.get(ISTIO_INJECT, "") if subject.reads_istio else ""
    return None if value == "" else Wish(_label(ISTIO_INJECT), value, _ISTIO_WISHES)


def istio_annotation(subject: Subject) -> Wish | None:
    """Nothing beside the label: that one replaces it, even if it is empty."""
    value = subject.pod.annotations.istio_inject
    if value is UNSET or value == "" or not subject.reads_istio or ISTIO_INJECT in subject.pod.labels:
        return None
    return Wish(_annotation(ISTIO_INJECT), value, _ISTIO_WISHES)


def wishes(subject: Subject) -> Iterator[Wish]:
    """All that the pod says of itself, the strongest first."""
    for read in (pod_label, istio_label, pod_annotation, istio_annotation):
        wish = read(subject)
        if wish is not None:
            yield wish


def istio_closed(subject: Subject) -> bool:
    return subject.reads_istio and istio_closes(subject.home, subject.configuration)


def istio_opened(subject: Subject) -> bool:
    return subject.reads_istio and istio_opens(subject.home, subject.configuration)


def istio_revision(subject: Subject) -> bool:
    """Whether the namespace, or else the pod, names a revision."""
    if not subject.reads_istio or not istio_revises(subject.home, subject.configuration):
        return False
    return ISTIO_REVISION in subject.home or ISTIO_REVISION in subject.pod.labels


def istio_label_disabled(subject: Subject) -> bool:
    wish = istio_label(subject)
    return wish is not None and wish.value == "false"


def istio_label_overruled(subject: Subject) -> bool:
    return istio_label(subject) is not None and istio_closed(subject)


def istio_annotation_enabled(subject: Subject) -> bool:
    """Alone it opts nobody in: Istio is not asked about such a pod."""
    if meant(istio_annotation(subject), subject) is not True:
        return False
    asked = istio_opened(subject) or istio_revision(subject)
    return asked or subject.home.get(names.INJECT, OPT_OUT[0]) not in OPT_OUT


def _label(key: str) -> str:
    return f"metadata.labels['{key}']"


def _annotation(key: str) -> str:
    return f"metadata.annotations['{key}']"
