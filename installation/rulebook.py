"""docs/injection.md, made of the rules and of what they say about puzzling pods. Pure but for being a program."""

import sys
from collections.abc import Iterator
from typing import Final

from installation.puzzles import PUZZLES
from webhook.decision import RULES, Inject
from webhook.injection import ALREADY_INJECTED, INJECTED_AGAIN

_HEAD: Final = """# Who is injected, and why

<!-- Made by `python -m installation.rulebook`: change that, not this file. -->

One ordered list of rules decides; the first that applies is the reason, whose code stands in the audit annotation
`reason` (`reason-again`, where the API server asks about a pod that has its sidecar), in the metric
`proa_injection_total{decision,reason}` and in the log, and never changes. `proa explain -n NS POD` asks the same rules
about a pod of the cluster, `proa explain -f FILE` about manifests.

## The rules, in their order
"""
_AFTER_RULES: Final = """
## Why this order
- What cannot be injected comes first: nobody's wish makes it work. `enforce` is next: the cluster's admin overrules.
- Whoever is nearer to the pod is heard first: its label, its annotation, then `never`, then its namespace's opt-out.
  The label beats the annotation, also where the label is Istio's and the annotation Proa's: only labels can be
  selected by.
- `always`, `serviceAccounts`, `owners` and `policy` are for pods about which nobody said no. So a namespace that opts
  out is not taken by `always`; who must overrule it lists it under `enforce`. Owners can leave pods of a namespace
  that opts in: a Job's pods, say.
- A value that is neither an opt-in nor an opt-out refuses the pod when its rule is asked (`unusable: deny`), or
  counts as absent and is warned of (`unusable: warn`). It is never taken for what it is not.

## Configuring it
The section `injection` of mesh.yaml. Selectors are those of Kubernetes (`matchLabels`, `matchExpressions`); an empty
one, which would take everything, is refused. `owners` are kinds of a pod's controller (`Job`, or with the group
`Job.batch`, which wins): a Deployment's pods are a ReplicaSet's, a CronJob's a Job's. `serviceAccounts` are
`NAMESPACE/NAME`.

The API server asks about a pod only what the registration says, and that is made of `injection` and `vocabulary`
([decision 0010](decisions/0010-the-registration-is-made-of-the-configuration.md)). Change them with `proa upgrade
--set-config FILE`, or apply what `proa render --set-config FILE` prints; whoever edits the ConfigMap alone is told by
`proa check` (`registration_outdated`). The Helm chart does not make such registrations, and refuses these two settings.

## Istio's names
With `vocabulary: istio` these mean what they mean there, and Proa's own names still work and win over the same kind
of Istio's:

| namespace | pod | outcome |
|---|---|---|
| `istio-injection: enabled` | nothing, or `istio.io/rev` | injected by the default revision |
| `istio-injection: enabled` | label or annotation `sidecar.istio.io/inject: "false"` | left |
| `istio-injection:` anything else | whatever of Istio's | left |
| `istio.io/rev: R` | not opted out | injected by Proa's revision R (`default` is the one without a name) |
| none of both | label `sidecar.istio.io/inject: "true"` | injected: the default revision, or the pod's `istio.io/rev` |
| none of both | label `istio.io/rev: R` | injected by R |
| none of both | annotation `sidecar.istio.io/inject: "true"` alone | left, as Istio is never asked |

`istio.io/rev` chooses the revision where Istio's labels opt in, `proa.dev/rev` everywhere else. We differ on purpose:
- `sidecar.istio.io/inject: "yes"` refuses the pod, or is warned of with `unusable: warn`; Istio logs it and takes the
  default. An empty label says nothing in both, and replaces the annotation.
- A namespace with `proa.dev/inject` is in Proa's terms: its Istio labels are not looked at, its pods' are.
- `never` beats a namespace's label but not a pod's, as in Istio; pods it takes are not even sent.

Revisions that live side by side should share the vocabulary: one that reads Istio's labels and one that does not may
both claim a namespace under `policy: enabled`.

## Pod Security
Where nodes program pods ([node-mode.md](node-mode.md)), an injected pod meets `restricted` as far as it met it before.
Where pods do it themselves, `proa-init` adds NET_ADMIN and runs as root: `baseline` forbids the first, `restricted`
both. A pod that is injected into a namespace that enforces either is refused after the injection, and a warning says
which standard and which field, and what to do: node mode, or `pod-security.kubernetes.io/enforce=privileged` with
`proa.dev/pod-security=baseline`, whose policy holds the namespace to everything else
(`proa install --pod-security baseline`).

The sidecar of a pod with `proa.dev/inbound-mode: tproxy` adds NET_RAW and runs as root, whoever programs the pod: both
standards and that policy refuse it, with a warning of the same kind ([annotations.md](annotations.md)).

## Puzzling pods
What `proa explain -f` says, without its tables:
"""


def rulebook() -> str:
    """The whole document."""
    return "".join(_document())


def _document() -> Iterator[str]:
    yield f"{_HEAD}\n| | reason | verdict | when |\n|---|---|---|---|\n"
    for number, rule in enumerate(RULES, 1):
        verdict = "inject" if rule.verdict is Inject else "leave"
        yield f"| {number} | `{rule.code}` | {verdict} | {rule.sentence} |\n"
    yield "\nTwo more reasons stand for a pod that comes injected and is to be ([repeating](repeating.md)):\n\n"
    for reason in (ALREADY_INJECTED, INJECTED_AGAIN):
        yield f"- `{reason.code}`: {reason.sentence}.\n"
    yield _AFTER_RULES
    for puzzle in PUZZLES:
        configured = f"`{puzzle.configuration}`\n\n" if puzzle.configuration else ""
        answer = "\n".join(puzzle.answer)
        yield f"\n### {puzzle.question}\n{configured}```yaml\n{puzzle.stream}```\n```\n{answer}\n```\n"


if __name__ == "__main__":
    sys.stdout.write(rulebook())
