"""The edits that inject a pod, as JSON Patch operations against the object as it came. Pure.

Every edit is known beforehand: nothing is diffed, and the cost grows with the pod's probes alone.
"""

from collections.abc import Iterator
from typing import Final

import msgspec
from msgspec import UNSET

from proa import names
from proa.capture.annotation import ANNOTATION, annotation
from proa.containers import SidecarKind
from proa.programming import ByNode
from webhook.interception import EXCLUDED_INBOUND, excluded_too, interception
from webhook.operations import Add, Operation, Remove, encoded, pointer
from webhook.pod import Pod
from webhook.position import INIT_CONTAINERS, Position
from webhook.probes import Listening, Rewriting, bootstrap_text
from webhook.sidecar import POD_ADDRESS, POD_IP, Sidecar

METADATA: Final = "/metadata"
ANNOTATIONS: Final = "/metadata/annotations"
VOLUMES: Final = "/spec/volumes"
_ARGUMENT: Final = encoded("--config-yaml")
"""Envoy adds what it says to the bootstrap file: items of lists behind those that are there (protobuf's MergeFrom)."""


def patch(pod: Pod, sidecar: Sidecar, at: Position, probes: Rewriting) -> tuple[Operation, ...]:
    """What turns *pod* into the same pod with *sidecar*. Parents that are absent or null are made."""
    told = {**sidecar.annotations, **_programmed(sidecar, probes), **_default_container(pod)}
    kept = dict.fromkeys((*told, *pod.annotations.files, names.STATUS))
    return (
        *_annotations(pod, {**told, names.STATUS: _status(pod, sidecar, probes, tuple(kept))}),
        *(Remove(f"{ANNOTATIONS}{pointer(key)}") for key in pod.annotations.files if key not in told),
        *probes.operations,
        *_containers(pod, sidecar, at),
        *_listening(probes.listening, sidecar, at),
        *_volumes(pod, sidecar),
    )


def _programmed(sidecar: Sidecar, probes: Rewriting) -> dict[str, msgspec.Raw]:
    """What the node's agent reads, where it is to program the pod."""
    match sidecar.programming:
        case ByNode() if sidecar.init is not None:
            ports = tuple(port for port, _ in probes.listening)
            return {ANNOTATION: encoded(annotation(interception(sidecar.settings.intercepting, ports)))}
        case _:
            return {}


def _default_container(pod: Pod) -> dict[str, msgspec.Raw]:
    """The app's first container, for kubectl, unless the user has said another."""
    if names.DEFAULT_CONTAINER in pod.annotations.values or not pod.spec.containers:
        return {}
    return {names.DEFAULT_CONTAINER: encoded(pod.spec.containers[0].name)}


def _status(pod: Pod, sidecar: Sidecar, probes: Rewriting, annotations: tuple[str, ...]) -> msgspec.Raw:
    parents = _parents(pod)
    status = msgspec.structs.replace(
        sidecar.status,
        annotations=annotations,
        absent=tuple(path for path, value in parents if value is UNSET),
        null=tuple(path for path, value in parents if value is None),
        replaced=pod.annotations.files,
        probes=probes.originals,
    )
    return encoded(msgspec.json.encode(status).decode())


def _parents(pod: Pod) -> tuple[tuple[str, object], ...]:
    """What may have to be made, with what is there."""
    held = (METADATA, pod.metadata) if not pod.metadata else (ANNOTATIONS, pod.metadata.annotations)
    return held, (INIT_CONTAINERS, pod.spec.init_containers), (VOLUMES, pod.spec.volumes)


def _annotations(pod: Pod, annotations: dict[str, msgspec.Raw]) -> Iterator[Add]:
    if not pod.metadata:
        yield Add(METADATA, encoded({"annotations": annotations}))
    elif not isinstance(pod.metadata.annotations, dict):
        yield Add(ANNOTATIONS, encoded(annotations))
    else:
        for key, value in annotations.items():
            yield Add(f"{ANNOTATIONS}{pointer(key)}", value)


def _containers(pod: Pod, sidecar: Sidecar, at: Position) -> Iterator[Add]:
    """A native proxy stands right behind its interception, so that both are one where the list has to be made."""
    native = sidecar.kind is SidecarKind.NATIVE
    init = () if sidecar.init is None else (sidecar.init,)
    if not isinstance(pod.spec.init_containers, tuple):
        if made := (*init, sidecar.proxy) if native else init:
            yield Add(INIT_CONTAINERS, encoded(made))
    else:
        yield from (Add(at.init, each) for each in init)
    if isinstance(pod.spec.init_containers, tuple) or not native:
        yield Add(at.proxy, sidecar.proxy)


def _listening(listening: Listening, sidecar: Sidecar, at: Position) -> Iterator[Operation]:
    """What the sidecar of this pod is told beside what all are told: to listen, and to let the kubelet reach it."""
    if not listening:
        return
    yield from _reached(tuple(port for port, _ in listening), sidecar, at)
    yield Add(f"{at.proxy}/env/-", POD_IP)
    yield Add(f"{at.proxy}/args/-", _ARGUMENT)
    yield Add(f"{at.proxy}/args/-", bootstrap_text(listening, POD_ADDRESS, sidecar.family))


def _reached(ports: tuple[int, ...], sidecar: Sidecar, at: Position) -> Iterator[Operation]:
    """`proa-init` takes each setting once: what a pod excludes of its own stands beside the *ports* of its probes."""
    asked = {each.partition("=")[0]: (index, each) for index, each in enumerate(sidecar.settings.intercepting)}
    if EXCLUDED_INBOUND not in asked:
        reached = (names.READY_PORT, names.METRICS_PORT, *ports)
        yield Add(f"{at.init}/command/-", encoded(f"{EXCLUDED_INBOUND}={','.join(map(str, reached))}"))
        return
    index, own = asked[EXCLUDED_INBOUND]
    yield Remove(f"{at.init}/args/{index}")
    yield Add(f"{at.init}/args/{index}", encoded(excluded_too(own, ports)))


def _volumes(pod: Pod, sidecar: Sidecar) -> Iterator[Add]:
    if not isinstance(pod.spec.volumes, tuple):
        yield Add(VOLUMES, encoded(sidecar.volumes))
    else:
        for volume in sidecar.volumes:
            yield Add(f"{VOLUMES}/-", volume)
