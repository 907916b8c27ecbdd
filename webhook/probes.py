"""The pod's probes and lifecycle hooks, sent to listeners of the sidecar, which asks the application instead. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, TypeAlias

import msgspec

from proa import names
from proa.errors import Invalid, Problems
from proa.json import Json
from proa.mesh import IpFamily
from proxy.probes import Backend, Probe, probe_resources
from webhook import pod as view
from webhook.handlers import Asked, Handler, Unresolved, handler
from webhook.operations import Operation, encoded
from webhook.position import AHEAD, Position

_STARTING: Final = ("startupProbe", "postStart")
"""What must have passed before the kubelet goes on to the next init container (KEP-753)."""
GIVEN: Final = range(names.PROBE_PORTS, names.PROBE_PORTS + 100)
"""The sidecar's ports for the pod's probes, as many of them as it needs."""

Originals: TypeAlias = dict[str, dict[str, dict[str, dict[str, Json] | None]]]
"""Members that were changed, by container, by probe or hook, by kind of handler; of a tcpSocket all of them."""
Listening: TypeAlias = tuple[tuple[int, tuple[Probe, ...]], ...]
"""Probes by the sidecar's port that answers them."""


@dataclass(frozen=True, slots=True)
class Rewriting:
    """*operations* on the pod as it came; what the sidecar listens for then; what undoes them; or what is wrong."""

    operations: tuple[Operation, ...] = ()
    listening: Listening = ()
    originals: Originals = field(default_factory=dict[str, dict[str, dict[str, dict[str, Json] | None]]])
    problems: tuple[Invalid, ...] = ()
    warnings: tuple[str, ...] = ()


_NOTHING: Final = Rewriting()
_Containers: TypeAlias = tuple[tuple[view.Container, ...] | None, tuple[view.Container, ...]]
"""The pod's init containers, and the others."""


def rewriting(pod: view.Pod, at: Position = AHEAD) -> Rewriting:
    """What sends *pod*'s probes to the sidecar: each probed port of the application to one of the sidecar's own.

    The pods of a workload have the same containers: what was worked out for one is there for the others.
    """
    containers: _Containers = (pod.spec.init_containers or None, pod.spec.containers)
    if not any(each.asks for those in containers for each in those or ()):
        return _NOTHING
    return _rewriting(msgspec.json.encode(containers), at.early, at.held)


@lru_cache(maxsize=256)
def _rewriting(encoded_containers: bytes, early: int, held: bool) -> Rewriting:  # noqa: FBT001 - a cache's key
    containers = msgspec.json.decode(encoded_containers, type=_Containers)
    problems, warnings = Problems(), list[str]()
    handlers = tuple(_covered(_handlers(containers, problems, warnings), early, warnings))
    if not held:
        warnings.extend(map(_impatient, (each for each in handlers if _is_blocking_start(each.asked))))
    by_backend: dict[Backend, list[Handler]] = {}
    for each in handlers:
        by_backend.setdefault(each.probe.backend, []).append(each)
    taken = {*_declared(containers), *(backend.port for backend in by_backend)}
    free = [port for port in GIVEN if port not in taken]
    if len(by_backend) > len(free):
        problems.add([Invalid("spec", f"probes of {len(by_backend)} ports", f"probes of at most {len(free)} ports")])
    if problems:
        return Rewriting(problems=problems.refusal("").problems, warnings=tuple(warnings))
    given = tuple(zip(free, by_backend.values(), strict=False))
    return Rewriting(
        operations=tuple(edit for port, those in given for each in those for edit in each.edits(port)),
        listening=tuple((port, tuple(each.probe for each in those)) for port, those in given),
        originals=_originals(handlers),
        warnings=tuple(warnings),
    )


@lru_cache(maxsize=256)
def bootstrap_text(listening: Listening, address: str, family: IpFamily) -> msgspec.Raw:
    """What Envoy is to read beside its bootstrap file: JSON as a JSON string. *address* is the pod's."""
    resources = probe_resources(dict(listening), address, family)
    return encoded(bytes(encoded({"static_resources": resources})).decode())


def _handlers(containers: _Containers, problems: Problems, warnings: list[str]) -> Iterator[Handler]:
    for asked in _all_asked(containers):
        with problems.collected(asked.field):
            try:
                found = handler(asked)
            except Unresolved as unresolved:
                warnings.append(str(unresolved))
                continue
            if found is not None:
                yield found


def _covered(handlers: Iterable[Handler], early: int, warnings: list[str]) -> Iterator[Handler]:
    """Those that can wait for the proxy. It starts only when they have passed whom these start: asked through it,
    neither would ever come. By then nothing is intercepted yet either, so they reach the app as they are.
    """
    for each in handlers:
        listed, index = each.asked.tokens[1:3]
        if listed == "initContainers" and int(index) < early and each.asked.name in _STARTING:
            warnings.append(
                f"{each.asked.field} is left as it is: the container starts before the proxy. Should it start again "
                "later, what it asks arrives in plaintext"
            )
        else:
            yield each


def _is_blocking_start(asked: Asked) -> bool:
    return asked.name == "postStart" and asked.tokens[1] == "containers"


def _impatient(found: Handler) -> str:
    return (
        f"{found.asked.field} may fail at first: a regular sidecar starts at the same time as its container. "
        f"{names.PREFIX}/hold: 'true' lets the container wait"
    )


def _all_asked(containers: _Containers) -> Iterator[Asked]:
    for listed, those in zip(("initContainers", "containers"), containers, strict=True):
        for index, container in enumerate(those or ()):
            for place, probe in _places(container):
                if probe is not None:
                    yield Asked(container, ("spec", listed, str(index), *place), probe)


def _places(container: view.Container) -> Iterator[tuple[tuple[str, ...], view.Probe | None]]:
    yield ("readinessProbe",), container.readiness_probe
    yield ("livenessProbe",), container.liveness_probe
    yield ("startupProbe",), container.startup_probe
    if container.lifecycle is not None:
        yield ("lifecycle", "postStart"), container.lifecycle.post_start
        yield ("lifecycle", "preStop"), container.lifecycle.pre_stop


def _declared(containers: _Containers) -> Iterator[int]:
    for those in containers:
        for container in those or ():
            yield from (port.container_port for port in container.ports or ())


def _originals(handlers: tuple[Handler, ...]) -> Originals:
    originals: Originals = {}
    for each in handlers:
        originals.setdefault(each.asked.container.name, {})[each.asked.name] = each.originals
    return originals
