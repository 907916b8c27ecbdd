"""What the API server asks of a pod before it calls the webhook: the decision's rules as CEL match conditions. Pure.

That they say what the decision says is proved by enumeration, in CEL too (tests/webhook/test_registration_variants.py).
"""

from dataclasses import dataclass
from typing import Final

from proa import names
from proa.injection import Policy
from proa.mesh import MeshConfiguration, Vocabulary
from proa.namespaces import OPT_OUT
from webhook.pod import ISTIO_INJECT, Pod
from webhook.predicates import (
    ALWAYS,
    NEVER,
    Predicate,
    accounts,
    annotated,
    annotation_in,
    either,
    every,
    label_in,
    labelled,
    negated,
    owners,
    selected,
)


@dataclass(frozen=True, slots=True)
class Condition:
    """An admissionregistration.k8s.io/v1 MatchCondition."""

    name: str
    holds: Predicate


def on_windows(pod: Pod) -> bool:
    return pod.spec.os is not None and pod.spec.os.name == "windows"


WORTH_ASKING: Final = (
    Condition(
        "not-host-network",
        Predicate(
            "!has(object.spec.hostNetwork) || !object.spec.hostNetwork",
            lambda subject: subject.pod.spec.host_network is not True,
        ),
    ),
    Condition(
        "not-windows",
        Predicate(
            "!has(object.spec.os) || object.spec.os.name != 'windows'", lambda subject: not on_windows(subject.pod)
        ),
    ),
)
"""Of every entry: what no wish overrules is not sent."""


class Questions:
    """What a *configuration* asks of a pod, whatever its namespace is."""

    def __init__(self, configuration: MeshConfiguration) -> None:
        self._rules = configuration.injection
        self._istio = configuration.vocabulary is Vocabulary.ISTIO

    @property
    def asks_by_annotation(self) -> Predicate:
        """Proa's annotation decides and does not opt out. What is neither is sent, so that it is refused with words."""
        return every(
            negated(self._istio_labelled), annotated(names.INJECT), negated(annotation_in(names.INJECT, OPT_OUT))
        )

    @property
    def asks_by_itself(self) -> Predicate:
        """The pod says something that beats its namespace's opt-out."""
        return either(self._istio_labelled, self.asks_by_annotation, self._unusable)

    @property
    def kept(self) -> Predicate:
        """The pod does not opt out by annotation, and if it says nothing, no rule of the configuration leaves it."""
        left = either(self._never, every(negated(self._always), self._left_by_kind))
        said = either(self._istio_labelled, annotated(names.INJECT), self._istio_annotated)
        return every(negated(self._opts_out), either(said, negated(left)))

    @property
    def kept_by_istio(self) -> Predicate:
        """The same for a namespace of Istio's: one that Proa's annotation decides is another entry's."""
        return every(either(self._istio_labelled, negated(annotated(names.INJECT))), self.kept)

    @property
    def configured(self) -> Predicate:
        """In a namespace that says nothing: Istio's label asks, or nobody says anything and the configuration does."""
        return either(self._istio_labelled, self._unusable, every(self._silent, self._wanted))

    @property
    def configured_by_namespace(self) -> Predicate:
        """What `configured` does not take, and a namespace of `injection.always` does."""
        return every(self._silent, negated(self._unusable), negated(self._never), negated(self._wanted))

    @property
    def _silent(self) -> Predicate:
        return every(negated(self._istio_labelled), negated(annotated(names.INJECT)), negated(self._opts_out))

    @property
    def _opts_out(self) -> Predicate:
        by_own = every(annotated(names.INJECT), annotation_in(names.INJECT, OPT_OUT))
        by_istio = every(
            self._istio_annotated, negated(annotated(names.INJECT)), annotation_in(ISTIO_INJECT, ("false",))
        )
        return every(negated(self._istio_labelled), either(by_own, by_istio))

    @property
    def _istio_labelled(self) -> Predicate:
        """An empty label says nothing; one that opts out, no selector takes."""
        return every(labelled(ISTIO_INJECT), negated(label_in(ISTIO_INJECT, ("",)))) if self._istio else NEVER

    @property
    def _istio_annotated(self) -> Predicate:
        if not self._istio:
            return NEVER
        says = every(annotated(ISTIO_INJECT), negated(annotation_in(ISTIO_INJECT, ("",))))
        return every(negated(labelled(ISTIO_INJECT)), says)

    @property
    def _unusable(self) -> Predicate:
        """Istio's annotation where it counts, with a value that is neither."""
        neither = negated(annotation_in(ISTIO_INJECT, ("true", "false")))
        return every(self._istio_annotated, negated(annotated(names.INJECT)), neither)

    @property
    def _never(self) -> Predicate:
        return selected(self._rules.never.pods)

    @property
    def _always(self) -> Predicate:
        """By its own labels; a namespace that is always injected keeps none of its pods from being asked about."""
        return ALWAYS if self._rules.always.namespaces else selected(self._rules.always.pods)

    @property
    def _left_by_kind(self) -> Predicate:
        account, owner = accounts(self._rules, Policy.DISABLED), owners(self._rules, Policy.DISABLED)
        return either(account, every(negated(accounts(self._rules, Policy.ENABLED)), owner))

    @property
    def _wanted(self) -> Predicate:
        """What the configuration says of a pod about which nobody says anything, in the order of the rules."""
        policy = ALWAYS if self._rules.policy is Policy.ENABLED else NEVER
        owner = every(
            negated(owners(self._rules, Policy.DISABLED)), either(owners(self._rules, Policy.ENABLED), policy)
        )
        account = either(accounts(self._rules, Policy.ENABLED), owner)
        kind = every(negated(accounts(self._rules, Policy.DISABLED)), account)
        return every(negated(self._never), either(selected(self._rules.always.pods), kind))
