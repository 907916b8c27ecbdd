"""Whether a pod gets a sidecar: what the first of `webhook.rules.RULES` that applies to it says. Pure."""

from collections.abc import Mapping
from functools import cache
from typing import Final

from proa import names
from proa.namespaces import ISTIO_ENABLED, ISTIO_INJECTION, ISTIO_REVISION, OPT_IN, OPT_OUT
from webhook.opting import NamespaceUnknown, Subject
from webhook.rules import RULES
from webhook.verdicts import Decision, Inject, Leave, Rule, parts

__all__ = [
    "RULES",
    "TRACES",
    "Decision",
    "Inject",
    "Leave",
    "NamespaceUnknown",
    "Rule",
    "Subject",
    "decision",
    "opted_in",
    "opted_in_to_istio",
]

TRACES: Final[Mapping[str, tuple[str, ...]]] = {
    rule.code: tuple(each.code for each in RULES[: number + 1]) for number, rule in enumerate(RULES)
}
"""By the reason of a decision: the rules that were asked, of which the last applied."""


def decision(subject: Subject) -> Decision:
    """What the first rule that applies says. Raises Invalid for an opt-in or opt-out that is neither, where the
    configuration does not let it count as absent, and NamespaceUnknown where the namespace would have to decide and is
    not known.
    """
    rule = next(rule for rule in _needed(parts(subject.configuration)) if rule.applies(subject))
    return rule.verdict(rule)


@cache
def _needed(found: frozenset[str]) -> tuple[Rule, ...]:
    """The rules that can apply in a configuration of these parts."""
    return tuple(rule for rule in RULES if rule.needs in found)


def opted_in(labels: Mapping[str, str] | None) -> Mapping[str, str]:
    """*labels* of a namespace that the API server has seen to opt in: it knew of that label sooner than this process.

    A value that is neither stays, as it is to be refused.
    """
    known = labels or {}
    wish = known.get(names.INJECT)
    return {**known, names.INJECT: OPT_IN[0]} if wish is None or wish in OPT_OUT else known


def opted_in_to_istio(labels: Mapping[str, str] | None) -> Mapping[str, str]:
    """The same, by one of Istio's labels, which opt in only without Proa's own."""
    known = {key: value for key, value in (labels or {}).items() if key != names.INJECT}
    if known.get(ISTIO_INJECTION) == ISTIO_ENABLED:
        return known
    if ISTIO_REVISION in known and ISTIO_INJECTION not in known:
        return known
    return {**known, ISTIO_INJECTION: ISTIO_ENABLED}
