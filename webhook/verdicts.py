"""What a decision is, and what a rule that makes one: the rules themselves are `webhook.rules`. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from proa.injection import Selectors
from proa.mesh import MeshConfiguration, Vocabulary
from webhook.opting import Subject

_NOBODY: Final = Selectors()


@dataclass(frozen=True, slots=True)
class Reason:
    """A reason that no rule gives: what was found when a decision was carried out."""

    code: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Inject:
    """The pod gets a sidecar."""

    reason: "Rule | Reason"


@dataclass(frozen=True, slots=True)
class Leave:
    """The pod stays as it is."""

    reason: "Rule | Reason"


Decision: TypeAlias = Inject | Leave


@dataclass(frozen=True, slots=True)
class Rule:
    """When *applies*, the verdict is *verdict*; *sentence* tells a user why. It cannot apply in a configuration without
    what it *needs*, one of `parts`.
    """

    code: str
    verdict: type[Inject] | type[Leave]
    sentence: str
    applies: Callable[[Subject], bool]
    needs: str = ""


def parts(configuration: MeshConfiguration) -> frozenset[str]:
    """What rules may need that a configuration has, and the empty text, for those that need nothing."""
    rules, istio = configuration.injection, configuration.vocabulary is Vocabulary.ISTIO
    return frozenset(
        (
            "",
            "istio" if istio else "",
            "enforce" if rules.enforce else "",
            "never" if rules.never != _NOBODY else "",
            "always" if rules.always != _NOBODY else "",
            "owners" if rules.owners else "",
            "accounts" if rules.service_accounts else "",
        )
    )
