"""The edits that take an injection out of a pod again, by the record it left. Pure.

Exactly what was added goes, by name, and what was changed comes back; whatever others did to the pod since stays.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from proa import names
from proa.errors import Invalid, shown
from proa.json import Json
from proa.trees import listed, member, members, text
from webhook.difference import edits, undone
from webhook.operations import Add, Operation, Remove, applied, encoded, pointed, pointer
from webhook.patch import ANNOTATIONS, METADATA, VOLUMES
from webhook.position import CONTAINERS, INIT_CONTAINERS
from webhook.probes import GIVEN
from webhook.status import Status, changes_read, recorded

_HOOKS: Final = ("postStart", "preStop")
_ASKING: Final = ("readinessProbe", "livenessProbe", "startupProbe", *_HOOKS)
_MOST: Final = 16
"""Items of a list that go one by one: a pod has each of ours once, unless somebody made it up."""
_CHANGED: Final = ("port", "scheme")
"""All that an injection changes of an httpGet or a grpc."""


def uninjection(pod: Json) -> tuple[Operation, ...]:
    """What turns an injected *pod*, or template, into what it was; nothing for one without a record.

    Raises Invalid for a record that cannot be read, or does not fit the pod.
    """
    status = status_of(pod)
    return () if status is None else undoing(pod, status).operations


def status_of(pod: Json) -> Status | None:
    """The record in *pod*, which may be anything. Raises Invalid for one that cannot be read."""
    found = member(pod, "metadata", "annotations", names.STATUS)
    if found is None:
        return None
    if not isinstance(found, str):
        raise Invalid(f"metadata.annotations['{names.STATUS}']", shown(found), "text")
    return recorded(found)


@dataclass(frozen=True, slots=True)
class Undoing:
    """*sidecar* takes what is Proa's out of a pod, which leaves it *bare*; in *pod* templates have changed nothing."""

    sidecar: tuple[Operation, ...]
    bare: Json
    pod: Json

    @property
    def operations(self) -> tuple[Operation, ...]:
        """Both, one after the other. Found only where they are asked for: most pods that come again need no patch."""
        if self.pod is self.bare or not isinstance(self.bare, dict) or not isinstance(self.pod, dict):
            return self.sidecar
        return (*self.sidecar, *edits(self.bare, self.pod))


def undoing(pod: Json, status: Status) -> Undoing:
    """What takes out of *pod* what *status* says was put in, as far as it is there.

    Raises Invalid where the record's differences are none.
    """
    operations = (
        *_probes(pod, status),
        *_items(pod, INIT_CONTAINERS, status.init_containers, status),
        *_items(pod, CONTAINERS, status.containers, status),
        *_items(pod, VOLUMES, status.volumes, status),
        *_annotations(pod, status),
    )
    bare = applied(pod, operations)
    if not status.changed or not isinstance(bare, dict):
        return Undoing(operations, bare, bare)
    with changes_read():
        return Undoing(operations, bare, undone(status.changed, bare))


def _probes(pod: Json, status: Status) -> Iterator[Operation]:
    for where in ("initContainers", "containers"):
        for index, container in enumerate(listed(pod, "spec", where)):
            for name, handlers in status.probes.get(text(container, "name"), {}).items():
                place = ("lifecycle", name) if name in _HOOKS else (name,)
                path = pointer("spec", where, str(index), *place)
                if name in _ASKING:
                    yield from _handlers(path, handlers, members(container, *place))


def _handlers(
    path: str, originals: Mapping[str, dict[str, Json] | None], found: dict[str, Json]
) -> Iterator[Operation]:
    """Nothing where somebody has put something else in its place: what does not ask the sidecar was not sent to it."""
    asked = next((kind for kind in ("httpGet", "grpc") if member(found, kind, "port") in GIVEN), "")
    if (socket := originals.get("tcpSocket")) is not None and asked == "httpGet":
        yield Remove(f"{path}/httpGet")
        yield Add(f"{path}/tcpSocket", encoded(socket))
        if "httpGet" in originals:
            yield Add(f"{path}/httpGet", encoded(None))
    elif asked:
        original = originals.get(asked) or {}
        for key in filter(original.__contains__, _CHANGED):
            yield Add(f"{path}/{asked}/{key}", encoded(original[key]))


def _items(pod: Json, path: str, ours: tuple[str, ...], status: Status) -> Iterator[Operation]:
    """Last first, as each that goes moves those behind it."""
    found = member(pod, *pointed(path))
    if not isinstance(found, list):
        return
    places = [index for index, item in enumerate(found) if text(item, "name") in ours]
    if path in (*status.absent, *status.null) and len(places) == len(found):
        yield _parent(path, status)
    elif len(places) > _MOST:
        yield Add(path, encoded([item for item in found if text(item, "name") not in ours]))
    else:
        for index in reversed(places):
            yield Remove(f"{path}/{index}")


def _annotations(pod: Json, status: Status) -> Iterator[Operation]:
    made = (*status.absent, *status.null)
    found = members(pod, "metadata", "annotations")
    if not found.keys() <= set(status.annotations) or not {METADATA, ANNOTATIONS} & set(made):
        for key in dict.fromkeys(status.annotations):
            path = f"{ANNOTATIONS}{pointer(key)}"
            if key in status.replaced:
                yield Add(path, encoded(status.replaced[key]))
            elif key in found:
                yield Remove(path)
    elif METADATA in made and members(pod, "metadata").keys() == {"annotations"}:
        yield _parent(METADATA, status)
    elif METADATA in made:
        yield Remove(ANNOTATIONS)
    else:
        yield _parent(ANNOTATIONS, status)


def _parent(path: str, status: Status) -> Operation:
    """What was made to hold what was added, as it was before."""
    return Remove(path) if path in status.absent else Add(path, encoded(None))
