"""The edits that inject a pod, as JSON Patch operations (RFC 6902) against the object as it came. Pure.

Every edit is an `add` that is known beforehand: nothing is diffed, and the cost does not grow with the pod.
"""

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from webhook.pod import Pod
from webhook.sidecar import Sidecar

_METADATA: Final = "/metadata"
_ANNOTATIONS: Final = "/metadata/annotations"
_INIT_CONTAINERS: Final = "/spec/initContainers"
_VOLUMES: Final = "/spec/volumes"


class Add(msgspec.Struct, frozen=True, tag_field="op", tag="add"):
    """Sets a member, or inserts an item into a list; *path* is a JSON Pointer (RFC 6901)."""

    path: str
    value: msgspec.Raw


def patch(pod: Pod, sidecar: Sidecar) -> tuple[Add, ...]:
    """What turns *pod* into the same pod with *sidecar*. Parents that are absent (or null) are made."""
    return (*_annotations(pod, sidecar), *_init_containers(pod, sidecar), *_volumes(pod, sidecar))


def pointer(*tokens: str) -> str:
    """The JSON Pointer to *tokens* (RFC 6901 §3: `~` becomes `~0` before `/` becomes `~1`)."""
    return "".join(f"/{token.replace('~', '~0').replace('/', '~1')}" for token in tokens)


def pointed(path: str) -> tuple[str, ...]:
    """The tokens of a JSON Pointer: the inverse of `pointer`."""
    return tuple(token.replace("~1", "/").replace("~0", "~") for token in path.split("/")[1:])


def _annotations(pod: Pod, sidecar: Sidecar) -> Iterator[Add]:
    if pod.metadata is None:
        yield Add(_METADATA, _object({"annotations": _object(sidecar.annotations)}))
    elif pod.metadata.annotations is None:
        yield Add(_ANNOTATIONS, _object(sidecar.annotations))
    else:
        for key, value in sidecar.annotations.items():
            yield Add(f"{_ANNOTATIONS}{pointer(key)}", value)


def _init_containers(pod: Pod, sidecar: Sidecar) -> Iterator[Add]:
    """First in the list: the pod's own init containers then run intercepted, and have a proxy to go through."""
    containers = (sidecar.init, sidecar.proxy)
    if pod.spec.init_containers is None:
        yield Add(_INIT_CONTAINERS, _array(containers))
    else:
        for index, container in enumerate(containers):
            yield Add(f"{_INIT_CONTAINERS}/{index}", container)


def _volumes(pod: Pod, sidecar: Sidecar) -> Iterator[Add]:
    if pod.spec.volumes is None:
        yield Add(_VOLUMES, _array(sidecar.volumes))
    else:
        for volume in sidecar.volumes:
            yield Add(f"{_VOLUMES}/-", volume)


def _array(items: Iterable[msgspec.Raw]) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(list(items)))


def _object(members: dict[str, msgspec.Raw]) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(members))
