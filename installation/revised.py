"""Which revision is asked about a pod, as the entries of `webhook.entries` select it. Pure."""

from collections.abc import Mapping
from typing import Final, TypeAlias

from proa import names
from proa.mesh import MeshConfiguration, Vocabulary
from proa.namespaces import ISTIO_ENABLED, ISTIO_INJECTION, ISTIO_REVISION

Labels: TypeAlias = Mapping[str, str]
_DEFAULT: Final = "default"
"""What Istio's labels call the revision without a name."""


def asked(namespace: Labels, pod: Labels, configurations: Mapping[str, MeshConfiguration]) -> str:
    """The name of the revision, empty for the default one, whether it is installed or not.

    Proa's own label chooses by `proa.dev/rev` of the namespace. Without one Istio's labels choose, as far as the
    revision that they mean is among *configurations*, by name, and reads them.
    """
    own = namespace.get(names.REVISION, "")
    if names.INJECT in namespace or names.INJECT in pod:
        return own
    theirs = _istios(namespace, pod)
    configuration = None if theirs is None else configurations.get(theirs)
    if theirs is None or configuration is None or configuration.vocabulary is not Vocabulary.ISTIO:
        return own
    return theirs


def _istios(namespace: Labels, pod: Labels) -> str | None:
    """The default revision where istio-injection opts in, and none where it stands otherwise; a namespace's revision
    before a pod's.
    """
    if ISTIO_INJECTION in namespace:
        return "" if namespace[ISTIO_INJECTION] == ISTIO_ENABLED else None
    named = namespace.get(ISTIO_REVISION, pod.get(ISTIO_REVISION))
    return "" if named == _DEFAULT else named
