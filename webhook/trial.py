"""The templates of a mesh configuration tried on pods before it comes into force: what no pod could have. Pure.

That a template is one, is checked where it is read (`proa.partial`). Whether what it makes can be injected, shows only
with a pod. The pods are made for the template: they have the containers that it names.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Final

import msgspec

from proa import names
from proa.errors import Invalid, Problems
from proa.injection import Injection
from proa.json import Json
from proa.mesh import MeshConfiguration, mesh_configuration
from proa.partial import EVERY, LISTS, PartialPod
from proa.protected import OWN, mappings
from webhook.decision import Leave, Subject, decision
from webhook.decoding import converted
from webhook.injection import injection
from webhook.kinds import PLACE, After, Before
from webhook.operations import applied
from webhook.pod import Pod
from webhook.sidecar import Sidecar, sidecar

_NAMESPACE: Final = "sample"
_RICH: Final[Mapping[str, Json]] = {
    "env": [{"name": "SAMPLE", "value": "1"}],
    "volumeMounts": [{"name": "sample", "mountPath": "/sample"}],
    "resources": {"requests": {"cpu": "100m"}, "limits": {"memory": "256Mi"}},
    "readinessProbe": {"httpGet": {"path": "/", "port": 8080}},
}


def tried_configuration(document: str | bytes) -> MeshConfiguration:
    """The configuration that *document* describes. Raises Refused naming every field that is wrong, or every template
    that no pod can be injected with.
    """
    configuration = mesh_configuration(document)
    attempt(configuration)
    return configuration


def attempt(configuration: MeshConfiguration) -> None:
    """Raises Refused for templates that make of a pod what cannot be injected; fields are those of the pod then."""
    # Whoever is not injected, or not asked about, would try nothing.
    open_to_all = msgspec.structs.replace(
        configuration, injection=Injection(), never_inject_namespaces=(), default_templates=()
    )
    given, problems = sidecar(open_to_all), Problems()
    chosen: dict[str, tuple[str, ...]] = {f"templates.{name}": (name,) for name in configuration.templates}
    if configuration.default_templates:
        chosen["defaultTemplates"] = configuration.default_templates
    for field, templates in chosen.items():
        problems.add(tuple(_problems(field, templates, open_to_all, given)))
    problems.refuse("the mesh configuration")


def _problems(
    field: str, templates: tuple[str, ...], configuration: MeshConfiguration, given: Sidecar
) -> Iterator[Invalid]:
    problems = Problems()
    for sample in _samples(templates, configuration):
        subject = Subject(converted(sample, Pod, ""), _NAMESPACE, {names.INJECT: "enabled"}, configuration)
        with problems.collected():
            made = injection(subject, given, partial(_itself, sample))
            problems.add(_left(replace(subject, pod=converted(applied(sample, made.operations), Pod, ""))))
    for problem in dict.fromkeys((each.field, each.found, each.allowed) for each in problems.refusal("").problems):
        yield Invalid(*problem).under(f"{field}, over a sample pod")


def _left(again: Subject) -> Iterator[Invalid]:
    """A template must not make of a pod one that is left, with its sidecar, when it is asked about again."""
    if isinstance(found := decision(again), Leave):
        yield Invalid("the pod", f"one that is not to be injected: {found.reason.sentence}", "one that still is")


def _samples(templates: tuple[str, ...], configuration: MeshConfiguration) -> Iterator[dict[str, Json]]:
    """A pod that has as little as one can, and one that has of everything."""
    chosen = [configuration.known_templates[name] for name in templates]
    apps, inits = ([*_named(chosen, listed)] for listed in reversed(LISTS))
    inits += [name for each in chosen if (name := _beside(each)) and name not in inits]
    annotations: dict[str, Json] = {names.TEMPLATES: ",".join(templates)}
    for rich in (False, True):
        more = _RICH if rich else {}
        spec: dict[str, Json] = {"containers": [{"name": name, "image": "sample", **more} for name in apps or ["app"]]}
        if inits or rich:
            spec["initContainers"] = [{"name": name, "image": "sample"} for name in inits or ["setup"]]
        if rich:
            spec["volumes"] = [{"name": "sample", "emptyDir": {}}]
        yield {"metadata": {"name": "sample", "annotations": annotations}, "spec": spec}


def _itself(sample: Json) -> Json:
    return sample


def _named(chosen: Iterable[PartialPod], listed: str) -> Iterator[str]:
    """The containers of the app, as far as a template says."""
    found = (str(item["name"]) for each in chosen for item in mappings(each.spec.get(listed)) if "name" in item)
    yield from dict.fromkeys(name for name in found if name not in (EVERY, *OWN))


def _beside(template: PartialPod) -> str | None:
    """The init container beside which a template wants the sidecar."""
    annotations: dict[str, str | None] = template.metadata.get("annotations") or {}
    text = annotations.get(f"{names.PREFIX}/place")
    try:
        place = PLACE.read(text) if text else None
    except ValueError:
        return None
    return place.name if isinstance(place, Before | After) else None
