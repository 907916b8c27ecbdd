"""All that a pod is to be given, and where; or everything that speaks against it. Pure."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from proa import names
from proa.capture.choices import Tproxied
from proa.capture.interception import Interception
from proa.capture.provers import prover
from proa.errors import Invalid, Problems, shown
from proa.json import Json
from proa.programming import ByNode
from proa.protected import VOLUMES, transparency_problems
from webhook.customising import Customisation, customisation, customised, is_customised, view
from webhook.handlers import SIDECAR_PORTS
from webhook.interception import interception, letting_by
from webhook.operations import Operation, applied
from webhook.opting import Subject
from webhook.patch import patch
from webhook.pod import Container, Pod, SecurityContext
from webhook.position import AHEAD, Position, position
from webhook.probes import Rewriting, rewriting
from webhook.sidecar import Sidecar, sidecar
from webhook.unworkable import unworkable
from webhook.wishes import ORDINARY, PodSettings, wishes


@dataclass(frozen=True, slots=True)
class Planned:
    """What templates make of the pod, the *patch* on that, the sidecar it is *given*, and what its user should know."""

    custom: Customisation | None
    patch: tuple[Operation, ...]
    given: Sidecar
    warnings: tuple[str, ...]

    @property
    def operations(self) -> tuple[Operation, ...]:
        """On the pod as it came."""
        return self.patch if self.custom is None else (*self.custom.operations, *self.patch)

    def carried_out(self, came: Json) -> Json:
        """The pod that *came* with all of it."""
        return applied(came if self.custom is None else self.custom.pod, self.patch)


def planned(subject: Subject, ordinary: Sidecar, source: Callable[[], Json]) -> Planned:
    """What injects the pod, which has no record of an injection: *source* has all of it, and is asked for where
    templates change more of it than is read here. It is then injected as what they make of it.

    Raises Refused with everything in the pod that a sidecar would collide with or cannot be.
    """
    if not is_customised(subject.pod, subject.configuration):
        plan = _plan(subject, ordinary)
        operations = patch(subject.pod, plan.sidecar, plan.position, plan.probes)
        return Planned(None, operations, plan.sidecar, plan.warnings)
    custom = customisation(source(), subject.pod, subject.configuration)
    pod = view(custom.pod)
    plan = _plan(replace(subject, pod=pod), ordinary, custom)
    given = customised(plan.sidecar, custom)
    return Planned(custom, patch(pod, given, plan.position, plan.probes), given, plan.warnings)


@dataclass(frozen=True, slots=True)
class _Plan:
    """All that goes into the pod, and where."""

    sidecar: Sidecar
    position: Position
    probes: Rewriting
    warnings: tuple[str, ...]


def _plan(subject: Subject, ordinary: Sidecar, custom: Customisation | None = None) -> _Plan:
    pod, problems = subject.pod, Problems()
    asked = wishes(pod, subject.configuration)
    if custom is not None:
        asked = replace(asked, settings=replace(asked.settings, intercepts=custom.intercepts))
        problems.add(_bypassing(subject, custom))
        problems.add(custom.problems)
    problems.add((*asked.problems, *_unproxied(subject, asked.settings), *_conflicts(pod)))
    # Of an interception that contradicts itself, nothing is made.
    settings = replace(asked.settings, intercepting=()) if asked.problems else asked.settings
    problems.add((*_unshown(subject, settings), *_grounded(custom, settings)))
    given = _given(subject, settings, ordinary, problems)
    at = _placed(subject, asked.settings, problems)
    rewritten = rewriting(pod, at)
    probes = rewritten if asked.settings.rewrite_probes and asked.settings.intercepts else Rewriting()
    problems.add(probes.problems)
    if problems:
        raise problems.refusal(f"the pod {shown(f'{subject.namespace}/{pod.name}')}")
    more = unworkable(pod, subject.configuration, given, rewritten)
    return _Plan(given, at, probes, (*asked.warnings, *probes.warnings, *more))


def _bypassing(subject: Subject, custom: Customisation) -> Iterator[Invalid]:
    """A pod to which nothing is redirected has opted out, whatever it is called."""
    if not custom.intercepts and subject.namespace in subject.configuration.injection.enforce:
        allowed = f"templates that leave {names.INIT_CONTAINER}: injection.enforce lists the namespace"
        yield Invalid("the pod's templates", f"no {names.INIT_CONTAINER}", allowed)


def _grounded(custom: Customisation | None, settings: PodSettings) -> Iterator[Invalid]:
    """What is laid over a proxy that is to speak from its clients' addresses may not take from it what that needs."""
    match settings.interception:
        case Interception(inbound_mode=Tproxied()) if custom is not None:
            for partial in custom.laid.get(names.PROXY_CONTAINER) or ():
                yield from transparency_problems(partial, names.PROXY_CONTAINER)
        case _:
            return


def _unproxied(subject: Subject, settings: PodSettings) -> Iterator[Invalid]:
    """Nor may it opt out port by port."""
    if subject.namespace in subject.configuration.injection.enforce:
        for each in letting_by(settings.intercepting):
            flag, _, found = each.partition("=")
            allowed = "nothing that may pass by the sidecar: injection.enforce lists the namespace"
            yield Invalid(f"{names.PREFIX}/{flag[2:]}", shown(found), allowed)


def _unshown(subject: Subject, settings: PodSettings) -> Iterator[Invalid]:
    """Whether the node has programmed a pod in which nothing is captured, nobody could tell."""
    match subject.configuration.interception:
        case ByNode() if settings.intercepts and prover(interception(settings.intercepting)) is None:
            yield Invalid(
                "the pod's annotations",
                f"no capture of what any but root dials: {' '.join(settings.intercepting)}",
                f"inbound or outbound ports that are captured, or a template without {names.INIT_CONTAINER}: the node"
                " programs the pods of this mesh, and nothing would show whether it has",
            )
        case _:
            return


def _given(subject: Subject, settings: PodSettings, ordinary: Sidecar, problems: Problems) -> Sidecar:
    if settings != ORDINARY:
        with problems.collected():
            return sidecar(subject.configuration, settings)
    return ordinary


def _placed(subject: Subject, settings: PodSettings, problems: Problems) -> Position:
    kind = settings.sidecar or subject.configuration.proxy.sidecar
    with problems.collected():
        return position(subject.pod, kind, settings.place, hold=settings.hold, intercepts=settings.intercepts)
    return AHEAD


def _conflicts(pod: Pod) -> Iterator[Invalid]:
    yield from _proxy_ids("spec", pod.spec.security_context)
    for field, containers in (("initContainers", pod.spec.init_containers), ("containers", pod.spec.containers)):
        for index, container in enumerate(containers or ()):
            yield from _container_conflicts(f"spec.{field}[{index}]", container)
    for index, volume in enumerate(pod.spec.volumes or ()):
        if volume.name in VOLUMES:
            yield Invalid(f"spec.volumes[{index}].name", shown(volume.name), f"any name but {', '.join(VOLUMES)}")


def _container_conflicts(field: str, container: Container) -> Iterator[Invalid]:
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
