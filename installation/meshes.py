"""Other sidecar injectors, by how their webhooks are called, and the namespaces they take pods of. Pure.

The names stand in the meshes' own charts: prefixes and revisions vary, these parts do not.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from installation.selectors import keys, takes
from installation.survey import Entry, Namespace
from proa import names


@dataclass(frozen=True, slots=True)
class Mesh:
    """*webhook* is a part of its webhooks' names; *asks* whether a namespace has opted in to it."""

    name: str
    webhook: str
    asks: Callable[[Entry, Namespace], bool]


def _selects(entry: Entry, namespace: Namespace) -> bool:
    """By namespace labels alone, as Istio and Kuma do."""
    return takes(entry.namespace_selector, namespace.labels) and takes(entry.object_selector, {})


def _linkerd(entry: Entry, namespace: Namespace) -> bool:
    """Its webhook sees every pod; an annotation decides."""
    wish = namespace.annotations.get("linkerd.io/inject")
    return _selects(entry, namespace) and wish in ("enabled", "ingress")


def _by_pod(_: Entry, __: Namespace) -> bool:
    """A pod's own annotation decides, unless Consul is told otherwise: no namespace says so."""
    return False


MESHES: Final = (
    Mesh("Istio", "sidecar-injector.istio.io", _selects),
    Mesh("Linkerd", "linkerd-proxy-injector.linkerd.io", _linkerd),
    Mesh("Kuma", "kuma-injector.kuma.io", _selects),
    Mesh("Consul", "connect-injector.consul.hashicorp.com", _by_pod),
)


def mesh(entry: Entry) -> Mesh | None:
    """The mesh whose injector *entry* is, if it is one that is known."""
    return next((each for each in MESHES if each.webhook in entry.name), None)


def another_proa(entry: Entry) -> bool:
    """Whether *entry* obeys Proa's label and is served from elsewhere than the system namespace."""
    obeys = names.INJECT in keys(entry.namespace_selector) | keys(entry.object_selector)
    return obeys and not entry.service.startswith(f"{names.SYSTEM_NAMESPACE}/")


def collisions(entries: tuple[Entry, ...], opted_in: tuple[Namespace, ...]) -> Iterator[tuple[str, str]]:
    """The other mesh and the namespace, by name, for each of *opted_in* that another mesh takes, too."""
    yield from dict.fromkeys(_taken(entries, opted_in))


def _taken(entries: tuple[Entry, ...], opted_in: tuple[Namespace, ...]) -> Iterator[tuple[str, str]]:
    for entry in entries:
        if found := mesh(entry):
            yield from ((found.name, each.name) for each in opted_in if found.asks(entry, each))
