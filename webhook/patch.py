"""The edits that inject a pod, as JSON Patch operations against the object as it came. Pure.

Every edit is known beforehand: nothing is diffed, and the cost grows with the pod's probes alone.
"""

from collections.abc import Iterator
from typing import Final

import msgspec
from msgspec import UNSET

from proa import names
from webhook.operations import Add, Operation, encoded, pointer
from webhook.pod import Pod
from webhook.probes import Listening, Rewriting, bootstrap_text
from webhook.sidecar import POD_ADDRESS, POD_IP, Sidecar

METADATA: Final = "/metadata"
ANNOTATIONS: Final = "/metadata/annotations"
INIT_CONTAINERS: Final = "/spec/initContainers"
CONTAINERS: Final = "/spec/containers"
VOLUMES: Final = "/spec/volumes"
_ARGUMENT: Final = encoded("--config-yaml")
"""Envoy adds what it says to the bootstrap file: items of lists behind those that are there (protobuf's MergeFrom)."""


def patch(pod: Pod, sidecar: Sidecar, probes: Rewriting) -> tuple[Operation, ...]:
    """What turns *pod* into the same pod with *sidecar*. Parents that are absent or null are made."""
    return (
        *_annotations(pod, {**sidecar.annotations, names.STATUS: _status(pod, sidecar, probes)}),
        *probes.operations,
        *_init_containers(pod, sidecar),
        *_listening(probes.listening, sidecar),
        *_volumes(pod, sidecar),
    )


def _status(pod: Pod, sidecar: Sidecar, probes: Rewriting) -> msgspec.Raw:
    parents = _parents(pod)
    status = msgspec.structs.replace(
        sidecar.status,
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
    elif not pod.metadata.annotations:
        yield Add(ANNOTATIONS, encoded(annotations))
    else:
        for key, value in annotations.items():
            yield Add(f"{ANNOTATIONS}{pointer(key)}", value)


def _init_containers(pod: Pod, sidecar: Sidecar) -> Iterator[Add]:
    """First in the list: the pod's own init containers then run intercepted, and have a proxy to go through."""
    if not isinstance(pod.spec.init_containers, tuple):
        yield Add(INIT_CONTAINERS, encoded((sidecar.init, sidecar.proxy)))
    else:
        yield Add(f"{INIT_CONTAINERS}/0", sidecar.init)
        yield Add(f"{INIT_CONTAINERS}/1", sidecar.proxy)


def _listening(listening: Listening, sidecar: Sidecar) -> Iterator[Add]:
    """What the sidecar of this pod is told beside what all are told: to listen, and to let the kubelet reach it."""
    if not listening:
        return
    reached = (names.READY_PORT, names.METRICS_PORT, *(port for port, _ in listening))
    yield Add(f"{INIT_CONTAINERS}/0/command/-", encoded(f"--exclude-inbound-ports={','.join(map(str, reached))}"))
    yield Add(f"{INIT_CONTAINERS}/1/env/-", POD_IP)
    yield Add(f"{INIT_CONTAINERS}/1/args/-", _ARGUMENT)
    yield Add(f"{INIT_CONTAINERS}/1/args/-", bootstrap_text(listening, POD_ADDRESS, sidecar.family))


def _volumes(pod: Pod, sidecar: Sidecar) -> Iterator[Add]:
    if not isinstance(pod.spec.volumes, tuple):
        yield Add(VOLUMES, encoded(sidecar.volumes))
    else:
        for volume in sidecar.volumes:
            yield Add(f"{VOLUMES}/-", volume)
