"""What templates, and a user's own containers of Proa's names, make of a pod and of its sidecar. Pure.

It comes before everything else: what is injected, refused and recorded afterwards is so of the pod as it is then.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias, cast

import msgspec

from proa import names
from proa.digest import digest
from proa.errors import Invalid, Problems, shown
from proa.json import Json
from proa.merging import CONTAINER, POD
from proa.mesh import MeshConfiguration, Vocabulary
from proa.overlay import DELETE, PATCH, overlay
from proa.partial import EVERY, LISTS, PartialPod
from proa.protected import AUTO, OWN
from webhook.authored import authored, items_of, without
from webhook.decoding import converted
from webhook.difference import Difference, difference, edits
from webhook.operations import Operation
from webhook.pod import Pod
from webhook.sidecar import Sidecar

_HANDLERS: Final = ("exec", "grpc", "httpGet", "tcpSocket")
_PROBES: Final = ("livenessProbe", "readinessProbe", "startupProbe")
_MOST: Final = 16
_Object: TypeAlias = dict[str, Json]


@dataclass(frozen=True, slots=True)
class Customisation:
    """What the pod that *came* is made into, *pod*; *changed* is the record that undoes it.

    *laid* is what is laid over Proa's own containers, by name and in order; None in a container's place: the pod has
    none. *templates* were chosen, *own* are the containers of those names that the pod came with.
    """

    came: _Object
    pod: _Object
    changed: Difference
    laid: Mapping[str, Sequence[_Object] | None] = field(default_factory=dict[str, "Sequence[_Object] | None"])
    templates: tuple[PartialPod, ...] = ()
    own: Mapping[str, _Object] = field(default_factory=dict[str, "_Object"])
    problems: tuple[Invalid, ...] = ()

    @property
    def operations(self) -> tuple[Operation, ...]:
        """That make it. Found only where they are asked for: most pods that come injected need no patch."""
        return tuple(edits(self.came, self.pod))

    @property
    def intercepts(self) -> bool:
        """Whether the pod has a `proa-init`."""
        return self.laid.get(names.INIT_CONTAINER, ()) is not None


def is_customised(pod: Pod, configuration: MeshConfiguration) -> bool:
    """Whether there is anything to look at, which most pods do not have."""
    annotations = pod.annotations.values
    if configuration.default_templates or names.TEMPLATES in annotations:
        return True
    if names.ISTIO_TEMPLATES in annotations and configuration.vocabulary is Vocabulary.ISTIO:
        return True
    # Every pod comes here: a generator would take it longer than the loop.
    for each in (*pod.spec.containers, *(pod.spec.init_containers or ())):  # noqa: SIM110
        if each.name in OWN:
            return True
    return False


def customisation(source: Json, pod: Pod, configuration: MeshConfiguration) -> Customisation:
    """What becomes of the pod that is *source*, of which *pod* is the view."""
    came, problems = cast("_Object", source), Problems()
    chosen: tuple[PartialPod, ...] = ()
    with problems.collected():
        chosen = _chosen(pod.annotations.values, configuration)
    own = dict(authored(came, problems))
    whole = without(came, own) if own else came
    laid: dict[str, list[_Object] | None] = {}
    for template in chosen:
        with problems.collected():
            whole = cast("_Object", overlay(whole, _of_the_pod(template, whole), POD))
        for name, partial in _of_the_sidecar(template):
            _lay(laid, name, partial)
    for name, partial in own.items():
        _lay(laid, name, partial)
    if not items_of(whole, "containers") and names.PROXY_CONTAINER not in own:
        allowed = f"a container; {names.PROXY_CONTAINER} alone makes a pod that is only a proxy"
        problems.add([Invalid("spec.containers", "nothing", allowed)])
    found = problems.refusal("the pod").problems
    return Customisation(came, whole, difference(came, whole), laid, chosen, own, found)


def customised(made: Sidecar, custom: Customisation) -> Sidecar:
    """A sidecar as one pod is given it. Its record tells it from that of a pod with other templates."""
    init, proxy = (custom.laid.get(name) or () for name in OWN)
    asked = digest(msgspec.json.encode((made.status.settings, custom.own))) if custom.own else made.status.settings
    given = _with(made.fingerprint, custom.templates)
    return replace(
        made,
        init=made.init and container(made.init, init),
        proxy=container(made.proxy, proxy),
        status=msgspec.structs.replace(made.status, changed=custom.changed, settings=asked, fingerprint=given),
    )


def fingerprint(annotations: Mapping[str, str], configuration: MeshConfiguration, ordinary: str) -> str:
    """Of what the configuration gives to a pod with *annotations*; *ordinary* is that of a pod without a template.

    Raises Invalid where it names a template that is none.
    """
    return _with(ordinary, _chosen(annotations, configuration))


def _with(ordinary: str, templates: tuple[PartialPod, ...]) -> str:
    if not any(each.metadata or each.spec for each in templates):
        return ordinary
    return digest(msgspec.json.encode((ordinary, templates), order="sorted"))


def container(made: msgspec.Raw, laid: Sequence[_Object]) -> msgspec.Raw:
    """A container of Proa's as it is with *laid* over it."""
    whole: Json = msgspec.json.decode(made)
    for partial in laid:
        whole = overlay(_one_handler(cast("_Object", whole), partial), partial, CONTAINER)
    return msgspec.Raw(msgspec.json.encode(whole))


def view(pod: _Object) -> Pod:
    """What Proa reads of a customised pod, which may be left without a container: it is only the proxy then.

    Raises Invalid for one that a template made unreadable.
    """
    spec = cast("_Object", pod["spec"])
    found = converted({**pod, "spec": {**spec, "containers": spec.get("containers") or [{"name": ""}]}}, Pod, "spec")
    if spec.get("containers"):
        return found
    return msgspec.structs.replace(found, spec=msgspec.structs.replace(found.spec, containers=()))


def _chosen(annotations: Mapping[str, str], configuration: MeshConfiguration) -> tuple[PartialPod, ...]:
    key = names.TEMPLATES
    if key not in annotations and configuration.vocabulary is Vocabulary.ISTIO:
        key = names.ISTIO_TEMPLATES
    text = annotations.get(key)
    known = configuration.known_templates
    if text is None:
        return tuple(known[name] for name in configuration.default_templates)
    listed = [name.strip() for name in text.split(",")] if text.strip() else []
    if len(listed) > _MOST or len(set(listed)) < len(listed) or not set(listed) <= known.keys():
        allowed = f"names of templates, each once and at most {_MOST}, with commas between: {', '.join(known)}"
        raise Invalid(f"metadata.annotations['{key}']", shown(text), allowed)
    return tuple(known[name] for name in listed)


def _of_the_pod(template: PartialPod, pod: _Object) -> Json:
    """*template* for this *pod*, without what is for Proa's containers."""
    spec = dict(template.spec)
    for listed in filter(spec.__contains__, LISTS):
        spec[listed] = [*_expanded(spec[listed], [str(item["name"]) for item in items_of(pod, listed)])]
        if not spec[listed]:
            del spec[listed]
    # What is empty would make a member that was not there.
    return {key: value for key, value in (("metadata", template.metadata), ("spec", spec)) if value}


def _expanded(partials: Sequence[_Object], present: Sequence[str]) -> Iterator[_Object]:
    for partial in partials:
        if partial["name"] == EVERY:
            gone = [each["name"] for each in partials if each.get(PATCH) == DELETE]
            yield from ({**partial, "name": name} for name in present if name not in gone)
    yield from (partial for partial in partials if partial["name"] not in (EVERY, *OWN))


def _of_the_sidecar(template: PartialPod) -> Iterator[tuple[str, _Object]]:
    for listed in LISTS:
        for partial in template.spec.get(listed) or ():
            if partial["name"] in OWN:
                yield partial["name"], {key: each for key, each in partial.items() if (key, each) != ("image", AUTO)}


def _lay(laid: dict[str, list[_Object] | None], name: str, partial: _Object) -> None:
    """What is gone stays so: nothing is laid over it."""
    if partial.get(PATCH) == DELETE:
        laid[name] = None
    elif (before := laid.setdefault(name, [])) is not None:
        before.append(partial)


def _one_handler(whole: _Object, partial: _Object) -> _Object:
    """*whole* without the handler of a probe for which *partial* has another: a probe has one."""
    changed = dict(whole)
    for key in _PROBES:
        probe, found = partial.get(key), whole.get(key)
        if isinstance(probe, dict) and isinstance(found, dict) and any(kind in probe for kind in _HANDLERS):
            changed[key] = {kind: each for kind, each in found.items() if kind not in _HANDLERS or kind in probe}
    return changed
