"""What a namespace's labels say about its pods, in Proa's own names and, where they are read, in Istio's. Pure.

The webhook asks the same of each pod (`webhook.rules`); who asks about a namespace before it has any pods asks here.
"""

from collections.abc import Mapping
from typing import Final

from proa import names
from proa.injection import Policy
from proa.mesh import MeshConfiguration, Vocabulary

OPT_IN: Final = ("enabled", "true")
OPT_OUT: Final = ("disabled", "false")
WISHES: Final[Mapping[str, bool]] = {**dict.fromkeys(OPT_IN, True), **dict.fromkeys(OPT_OUT, False)}
ISTIO_INJECTION: Final = "istio-injection"
"""Label on a namespace: `enabled`, and anything else closes it, also to pods that ask."""
ISTIO_REVISION: Final = "istio.io/rev"
"""Label on a namespace or pod: opts in, to that revision."""
ISTIO_ENABLED: Final = "enabled"


def injects(namespace: str, labels: Mapping[str, object], mesh: MeshConfiguration) -> bool:
    """Whether pods of *namespace* that say nothing get a sidecar, as far as their labels, owner and service account are
    no reason: the first that applies decides, in the order of `webhook.rules.RULES`. A label that is neither an opt-in
    nor an opt-out counts as absent.
    """
    rules, wish = mesh.injection, WISHES.get(str(labels.get(names.INJECT)))
    if never_injected(namespace, mesh):
        return False
    if namespace in rules.enforce:
        return True
    if istio_closes(labels, mesh) or rules.never.takes_namespace(labels) or wish is False:
        return False
    asked = wish or istio_opens(labels, mesh) or (ISTIO_REVISION in labels and istio_revises(labels, mesh))
    return rules.always.takes_namespace(labels) or asked or rules.policy is Policy.ENABLED


def never_injected(namespace: str, mesh: MeshConfiguration) -> bool:
    """Whatever anybody says."""
    return namespace == names.SYSTEM_NAMESPACE or namespace in mesh.never_inject_namespaces


def istio_closes(labels: Mapping[str, object], mesh: MeshConfiguration) -> bool:
    """Whether the namespace is one whose pods Istio is never asked about, whatever they say."""
    return _by_istio(labels, mesh) and labels.get(ISTIO_INJECTION, ISTIO_ENABLED) != ISTIO_ENABLED


def istio_opens(labels: Mapping[str, object], mesh: MeshConfiguration) -> bool:
    return _by_istio(labels, mesh) and labels.get(ISTIO_INJECTION) == ISTIO_ENABLED


def istio_revises(labels: Mapping[str, object], mesh: MeshConfiguration) -> bool:
    """Whether a revision that the namespace, or a pod, names opts in: where istio-injection stands, that decides."""
    return _by_istio(labels, mesh) and ISTIO_INJECTION not in labels


def _by_istio(labels: Mapping[str, object], mesh: MeshConfiguration) -> bool:
    """A namespace with Proa's own label is in Proa's terms alone."""
    return mesh.vocabulary is Vocabulary.ISTIO and names.INJECT not in labels
