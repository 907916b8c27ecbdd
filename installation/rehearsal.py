"""A pod that is created in a dry run, and what became of it: the whole way of admission, and nothing is left. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, TypeAlias

from installation.survey import Namespace, Part, Unread, forbids_sidecars
from installation.trees import listed, text, texts
from proa import names
from proa.json import Json
from proa.namespaces import OPT_IN
from webhook.registration import NEVER_MATCHED

_FIRST_CHOICE: Final = "default"
"""Every cluster has it, and the pod asks for the sidecar by its own label."""
_CONTAINERS: Final = frozenset({names.INIT_CONTAINER, names.PROXY_CONTAINER})


@dataclass(frozen=True, slots=True)
class Injected:
    """It came back with its sidecar."""


@dataclass(frozen=True, slots=True)
class Bare:
    """It was let in without one."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """It was refused; *message* is the API server's."""

    message: str


Rehearsal: TypeAlias = Injected | Bare | Rejected


def stage(revision: str, namespaces: Part[tuple[Namespace, ...]]) -> Part[str]:
    """The namespace to rehearse in: one that is *revision*'s and whose Pod Security lets sidecars in."""
    if isinstance(namespaces, Unread):
        return namespaces
    fit = [each.name for each in namespaces if _fits(each, revision)]
    if _FIRST_CHOICE in fit:
        return _FIRST_CHOICE
    wanted = f"labelled {names.REVISION}={revision}" if revision else f"without {names.REVISION}"
    return fit[0] if fit else Unread(f"there is no namespace {wanted} to try it in")


def _fits(namespace: Namespace, revision: str) -> bool:
    own = namespace.labels.get(names.REVISION, "") == revision and namespace.name not in NEVER_MATCHED
    return own and not namespace.terminating and not forbids_sidecars(namespace)


def rehearsal_pod(namespace: str) -> Json:
    """An ordinary pod that asks for a sidecar; it satisfies the `restricted` Pod Security Standard."""
    confined: Json = {
        "allowPrivilegeEscalation": False,
        "runAsNonRoot": True,
        "runAsUser": 65534,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    container: Json = {"name": "app", "image": "proa-check", "securityContext": confined}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "proa-check", "namespace": namespace, "labels": {names.INJECT: OPT_IN[0]}},
        "spec": {"containers": [container], "automountServiceAccountToken": False},
    }


def rehearsed(admitted: Json) -> Rehearsal:
    """What became of the pod that the API server sent back."""
    found = _names(listed(admitted, "spec", "initContainers"))
    marked = names.STATUS in texts(admitted, "metadata", "annotations")
    return Injected() if marked and found >= _CONTAINERS else Bare()


def _names(containers: Iterable[Json]) -> frozenset[str]:
    return frozenset(text(each, "name") for each in containers)
