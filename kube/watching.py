"""What the events of a watch mean, and what is known after them. Pure.

https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes: a list gives a
resourceVersion, a watch from there every change after it in order; bookmarks carry nothing but a newer version; after
"410 Gone" the changes in between are lost, and only a new list tells them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Generic, TypeAlias, TypeVar

from kube.failures import ApiRefused, Unreachable, refusal_of
from kube.resources import Key, Object
from proa.errors import ProaError, shown
from proa.json import Json

T = TypeVar("T")
Change: TypeAlias = tuple[Key, T | None]
"""An object that is there, as it is now; or one that is not any more."""


@dataclass(frozen=True, slots=True)
class Put:
    """It was added or changed. *item* is the whole of it."""

    key: Key
    item: Object
    version: str


@dataclass(frozen=True, slots=True)
class Removed:
    key: Key
    version: str


@dataclass(frozen=True, slots=True)
class Marked:
    """Nothing happened up to *version*."""

    version: str


@dataclass(frozen=True, slots=True)
class Failed:
    """The API server ended the watch and says why."""

    error: ApiRefused


Step: TypeAlias = Put | Removed | Marked | Failed


def step(event: Json) -> Step:
    """What one line of a watch says. One that makes no sense is Failed: to list again mends it."""
    match event:
        case {"type": "ADDED" | "MODIFIED", "object": dict(item)}:
            return _put(item, event)
        case {"type": "DELETED", "object": dict(item)}:
            gone = _put(item, event)
            return Removed(gone.key, gone.version) if isinstance(gone, Put) else gone
        case {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": str(version)}}}:
            return Marked(version)
        case {"type": "ERROR", "object": status}:
            return Failed(refusal_of(status))
        case _:
            return _senseless(event)


def _put(item: Object, event: Json) -> Put | Failed:
    match item.get("metadata"):
        case {"name": str(name), "namespace": str(namespace), "resourceVersion": str(version)}:
            return Put(Key(namespace, name), item, version)
        case {"name": str(name), "resourceVersion": str(version)}:
            return Put(Key("", name), item, version)
        case _:
            return _senseless(event)


def _senseless(event: Json) -> Failed:
    return Failed(ApiRefused(500, "BadEvent", f"a watch event that says nothing: {shown(event)}"))


NOWHERE: Final = ""
"""The version of what was never listed, or must be listed again."""


class Known(Generic[T]):
    """What is known of a collection at *version*. Every method answers the changes that it made, in order.

    What equals what was known is no change: a list after a break tells only what was missed.
    """

    def __init__(self) -> None:
        self.version = NOWHERE
        self._values: dict[Key, T] = {}

    @property
    def values(self) -> Mapping[Key, T]:
        return MappingProxyType(self._values)

    def listed(self, found: Iterable[tuple[Key, T]], version: str) -> tuple[Change[T], ...]:
        """The whole collection as of *version*."""
        present = dict(found)
        gone: list[Change[T]] = [(key, None) for key in self._values if key not in present]
        put = [change for key, value in present.items() for change in self._put(key, value)]
        for key, _ in gone:
            del self._values[key]
        self.version = version
        return (*gone, *put)

    def put(self, key: Key, value: T, version: str) -> tuple[Change[T], ...]:
        self.version = version
        return self._put(key, value)

    def removed(self, key: Key, version: str) -> tuple[Change[T], ...]:
        self.version = version
        return ((key, None),) if self._values.pop(key, None) is not None else ()

    def marked(self, version: str) -> None:
        self.version = version

    def _put(self, key: Key, value: T) -> tuple[Change[T], ...]:
        if key in self._values and self._values[key] == value:
            return ()
        self._values[key] = value
        return ((key, value),)


def resumable(error: ProaError) -> bool:
    """Whether a watch can go on from the version it had. Where in doubt it cannot: a list is only slower.

    Not after 410, and not after 504, which is also the answer to a version that a restored etcd has not come to yet.
    """
    return isinstance(error, Unreachable) or (isinstance(error, ApiRefused) and error.status == 429)
