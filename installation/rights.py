"""What a command needs to be allowed, from the objects it works on. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from kube.resources import Resource, key_of, resource_of
from proa.json import Json

INSTALLING: Final = ("get", "list", "create", "patch", "delete")
"""Server-side apply needs create and patch (Kubernetes: Server-Side Apply); what is no longer wanted is deleted."""
REMOVING: Final = ("get", "delete")


@dataclass(frozen=True, slots=True)
class Right:
    """*verb* on every object of *resource*: of one namespace, or of the whole cluster where it is empty."""

    verb: str
    resource: Resource
    namespace: str = ""

    @property
    def place(self) -> str:
        """The objects, as people name them."""
        return f"{self.resource}{f' in namespace {self.namespace}' if self.namespace else ''}"


def rights(objects: Iterable[Json], verbs: tuple[str, ...]) -> tuple[Right, ...]:
    """*verbs* on the kind of each of *objects*, each once."""
    places = dict.fromkeys((resource_of(each), key_of(each).namespace) for each in objects)
    return tuple(Right(verb, resource, namespace) for resource, namespace in places for verb in verbs)


def lacking(denied: Iterable[Right]) -> Iterator[str]:
    """A line for each kind of object, with the verbs that are missing on it."""
    verbs: dict[str, list[str]] = {}
    for each in denied:
        verbs.setdefault(each.place, []).append(each.verb)
    yield from (f"you may not {', '.join(missing)} {place}" for place, missing in verbs.items())
