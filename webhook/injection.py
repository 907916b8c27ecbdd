"""A pod's injection: decided, checked, planned. What the server and `proa inject` both call. Pure."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final, assert_never

from msgspec import UNSET

from proa import names
from proa.errors import Invalid, Problems, shown
from proa.json import Json
from webhook.decision import Decision, Inject, Leave, Reason, Subject, decision
from webhook.decoding import converted
from webhook.handlers import SIDECAR_PORTS
from webhook.operations import Operation, applied
from webhook.patch import patch
from webhook.pod import Container, Pod, SecurityContext
from webhook.probes import rewriting
from webhook.reinjection import Undone, reinjection
from webhook.sidecar import Sidecar
from webhook.status import CONTAINERS, VOLUMES, Status, owned, recorded
from webhook.uninjection import undoing

ALREADY_INJECTED: Final = Reason(
    "already_injected",
    f"the pod carries the annotation {names.STATUS} and a sidecar that is just what it would be given now",
)
INJECTED_AGAIN: Final = Reason(
    "injected_again",
    "the pod came with a sidecar that is not, or no longer, what it is to have: it was taken out and added anew",
)


@dataclass(frozen=True, slots=True)
class Injection:
    """What was decided, and the operations it takes: none where the pod is left."""

    decision: Decision
    operations: tuple[Operation, ...]


def injection(subject: Subject, sidecar: Sidecar, source: Callable[[], Json]) -> Injection:
    """What is to happen to the pod, which is all of *source*'s value: it is asked for where the pod comes injected.

    Raises Refused with everything in the pod that *sidecar* would collide with, Invalid for a record of an injection
    that cannot be read, and what `decision` raises.
    """
    decided = decision(subject)
    match decided:
        case Leave():
            return Injection(decided, ())
        case Inject() if (status := subject.pod.annotations.status) is not UNSET:
            operations = _again(subject, owned(recorded(status), sidecar.status), source(), sidecar)
            return Injection(Inject(INJECTED_AGAIN) if operations else Leave(ALREADY_INJECTED), operations)
        case Inject():
            return Injection(decided, _planned(subject, sidecar))
        case _:
            assert_never(decided)


def _again(subject: Subject, record: Status, came: Json, sidecar: Sidecar) -> tuple[Operation, ...]:
    """What it takes for the pod that *came* to have *sidecar* as if it had never had another."""
    try:
        undo = undoing(came, record)
        undone = Undone(came, record, undo, applied(came, undo))
        before = replace(subject, pod=converted(undone.pod, Pod, ""))
        return reinjection(undone, _planned(before, sidecar))
    except (RecursionError, OverflowError) as error:
        raise Invalid("spec", f"what cannot be written again ({error})", "what Kubernetes' own types hold") from error


def _planned(subject: Subject, sidecar: Sidecar) -> tuple[Operation, ...]:
    probes, problems = rewriting(subject.pod), Problems()
    problems.add(_conflicts(subject.pod))
    problems.add(probes.problems)
    problems.refuse(f"the pod {shown(f'{subject.namespace}/{subject.pod.name}')}")
    return patch(subject.pod, sidecar, probes)


def _conflicts(pod: Pod) -> Iterator[Invalid]:
    yield from _proxy_ids("spec", pod.spec.security_context)
    for field, containers in (("initContainers", pod.spec.init_containers), ("containers", pod.spec.containers)):
        for index, container in enumerate(containers or ()):
            yield from _container_conflicts(f"spec.{field}[{index}]", container)
    for index, volume in enumerate(pod.spec.volumes or ()):
        if volume.name in VOLUMES:
            yield Invalid(f"spec.volumes[{index}].name", shown(volume.name), f"any name but {', '.join(VOLUMES)}")


def _container_conflicts(field: str, container: Container) -> Iterator[Invalid]:
    if container.name in CONTAINERS:
        yield Invalid(f"{field}.name", shown(container.name), f"any name but {', '.join(CONTAINERS)}")
    yield from _proxy_ids(field, container.security_context)
    for index, mount in enumerate(container.volume_mounts or ()):
        if mount.name in VOLUMES:
            # The identity volume holds the sidecar's private key.
            yield Invalid(f"{field}.volumeMounts[{index}].name", shown(mount.name), "the sidecar's alone to mount")
    for index, port in enumerate(container.ports or ()):
        if port.container_port in SIDECAR_PORTS:
            taken = f"any port but the sidecar's: {', '.join(map(str, SIDECAR_PORTS))}"
            yield Invalid(f"{field}.ports[{index}].containerPort", str(port.container_port), taken)


def _proxy_ids(field: str, context: SecurityContext | None) -> Iterator[Invalid]:
    """The proxy's user and group are how its packets are told from the app's: the app's would leave the mesh unseen."""
    if context is None:
        return
    for key, found, taken in (
        ("runAsUser", context.run_as_user, names.PROXY_UID),
        ("runAsGroup", context.run_as_group, names.PROXY_GID),
    ):
        if found == taken:
            yield Invalid(f"{field}.securityContext.{key}", str(found), f"any number but {taken}, which is the proxy's")
