"""The edits that take an injection out of a pod again, by the record it left. Pure.

Exactly what was added goes, by name, and what was changed comes back; whatever others did to the pod since stays.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from proa import names
from proa.errors import Invalid, shown
from proa.json import Json
from webhook.difference import edits, undone
from webhook.operations import Add, Operation, Remove, applied, encoded, pointed, pointer
from webhook.patch import ANNOTATIONS, METADATA, VOLUMES
from webhook.position import CONTAINERS, INIT_CONTAINERS
from webhook.status import Status, recorded

_HOOKS: Final = ("postStart", "preStop")


def uninjection(pod: Json) -> tuple[Operation, ...]:
    """What turns an injected *pod*, or template, into what it was; nothing for one without a record.

    Raises Invalid for a record that cannot be read, or does not fit the pod.
    """
    text = _member(pod, "metadata", "annotations", names.STATUS)
    if text is None:
        return ()
    if not isinstance(text, str):
        raise Invalid(f"metadata.annotations['{names.STATUS}']", shown(text), "text")
    status = recorded(text)
    operations = _undoing(pod, status)
    return (*operations, *_uncustomising(applied(pod, operations), status)) if status.changed else operations


def _uncustomising(pod: Json, status: Status) -> Iterator[Operation]:
    """Of a pod without its sidecar: what templates changed comes back."""
    found = pod if isinstance(pod, dict) else {}
    try:
        return edits(found, undone(status.changed, found))
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise Invalid(f"metadata.annotations['{names.STATUS}'].changed", "no record", "what Proa wrote") from error


def _undoing(pod: Json, status: Status) -> tuple[Operation, ...]:
    return (
        *_probes(pod, status),
        *_items(pod, INIT_CONTAINERS, status.init_containers, status),
        *_items(pod, CONTAINERS, status.containers, status),
        *_items(pod, VOLUMES, status.volumes, status),
        *_annotations(pod, status),
    )


def _probes(pod: Json, status: Status) -> Iterator[Operation]:
    for listed in ("initContainers", "containers"):
        for index, container in enumerate(_list(pod, "spec", listed)):
            for name, handlers in status.probes.get(_text(container, "name"), {}).items():
                place = ("lifecycle", name) if name in _HOOKS else (name,)
                path = pointer("spec", listed, str(index), *place)
                yield from _handlers(path, handlers, _members(container, *place))


def _handlers(
    path: str, originals: Mapping[str, dict[str, Json] | None], found: dict[str, Json]
) -> Iterator[Operation]:
    """Nothing where somebody has put something else in its place."""
    for kind, original in originals.items():
        if kind == "tcpSocket" and "httpGet" in found:
            yield Remove(f"{path}/httpGet")
            yield Add(f"{path}/tcpSocket", encoded(original))
        elif kind in found and original is None:
            yield Add(f"{path}/{kind}", encoded(None))
        elif kind in found and original is not None:
            for member, value in original.items():
                yield Add(f"{path}/{kind}{pointer(member)}", encoded(value))


def _items(pod: Json, path: str, ours: tuple[str, ...], status: Status) -> Iterator[Operation]:
    """Last first, as each that goes moves those behind it."""
    listed = _member(pod, *pointed(path))
    if not isinstance(listed, list):
        return
    places = [index for index, item in enumerate(listed) if _text(item, "name") in ours]
    if path in (*status.absent, *status.null) and len(places) == len(listed):
        yield _parent(path, status)
    else:
        for index in reversed(places):
            yield Remove(f"{path}/{index}")


def _annotations(pod: Json, status: Status) -> Iterator[Operation]:
    made = (*status.absent, *status.null)
    found = _members(pod, "metadata", "annotations")
    if not found.keys() <= set(status.annotations) or not {METADATA, ANNOTATIONS} & set(made):
        for key in status.annotations:
            path = f"{ANNOTATIONS}{pointer(key)}"
            if key in status.replaced:
                yield Add(path, encoded(status.replaced[key]))
            elif key in found:
                yield Remove(path)
    elif METADATA in made and _members(pod, "metadata").keys() == {"annotations"}:
        yield _parent(METADATA, status)
    elif METADATA in made:
        yield Remove(ANNOTATIONS)
    else:
        yield _parent(ANNOTATIONS, status)


def _parent(path: str, status: Status) -> Operation:
    """What was made to hold what was added, as it was before."""
    return Remove(path) if path in status.absent else Add(path, encoded(None))


def _member(value: Json, *path: str) -> Json:
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _members(value: Json, *path: str) -> dict[str, Json]:
    found = _member(value, *path)
    return found if isinstance(found, dict) else {}


def _list(value: Json, *path: str) -> list[Json]:
    found = _member(value, *path)
    return found if isinstance(found, list) else []


def _text(value: Json, key: str) -> str:
    found = _member(value, key)
    return found if isinstance(found, str) else ""
