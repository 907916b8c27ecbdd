"""A partial Pod: what a template lays over a pod, checked when the configuration is read. Pure.

Checked is what Proa's own containers, and the merge itself, rest on; Kubernetes itself knows its fields better.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final, TypeAlias

from msgspec import Meta

from proa import dns, names
from proa.capture.annotation import ANNOTATION
from proa.errors import Invalid, Problems, shown
from proa.json import Json
from proa.merging import POD, Listed, Merging, is_key, within
from proa.overlay import DELETE, DELETE_ITEMS, PATCH, REPLACE, RETAIN_KEYS
from proa.protected import IDS, OWN, VOLUMES, container_problems, mappings
from proa.sections import Section

TemplateName: TypeAlias = Annotated[
    str, Meta(pattern=rf"^{dns.LABEL}\Z", description="a template's name: 1 to 63 of a-z, 0-9 and '-'")
]
EVERY: Final = "*"
"""In a container's name: each of the pod's own containers of that list, as it is when the template is laid over it."""
LISTS: Final = ("initContainers", "containers")
_NAME: Final = re.compile(dns.LABEL)
_RESERVED: Final = frozenset(
    (
        names.INJECT,
        names.TEMPLATES,
        names.ISTIO_TEMPLATES,
        names.STATUS,
        names.BOOTSTRAP,
        names.LEAF,
        names.ROOTS,
        ANNOTATION,
        names.REVISION,
    )
)
_REFUSED: Final = {
    "hostNetwork": "nothing: the node's traffic is not the pod's to intercept",
    "serviceAccountName": "nothing: it is the pod's identity",
    "serviceAccount": "nothing: it is the pod's identity",
    "ephemeralContainers": "nothing: no pod is made with them",
}


class PartialPod(Section, frozen=True):
    """Labels and annotations, and any part of a pod's specification, with the directives of a strategic merge."""

    metadata: dict[str, Any] = {}  # noqa: RUF012 - msgspec copies an empty default
    spec: dict[str, Any] = {}  # noqa: RUF012

    def __post_init__(self) -> None:
        problems = Problems()
        problems.add(_metadata_problems(self.metadata))
        problems.add(_spec_problems(self.spec))
        problems.refuse("the template")

    def __hash__(self) -> int:
        """Its members differ more often than not; and no two are compared that are not two of one configuration."""
        return hash((*self.metadata, *self.spec))


def _metadata_problems(metadata: Mapping[str, Json]) -> Iterator[Invalid]:
    for key, texts in metadata.items():
        if key not in ("labels", "annotations"):
            yield Invalid(f"metadata.{key}", shown(texts), "labels and annotations")
        elif not isinstance(texts, dict):
            yield Invalid(f"metadata.{key}", shown(texts), "a mapping")
        else:
            for name, text in texts.items():
                yield from _text_problems(key, name, text)


def _text_problems(key: str, name: str, text: Json) -> Iterator[Invalid]:
    field = f"metadata.{key}['{name}']"
    if name in _RESERVED or (key == "labels" and name.startswith(f"{names.PREFIX}/")):
        yield Invalid(field, shown(text), "nothing: whether and how a pod is injected is decided before")
    elif name.startswith("$"):
        yield Invalid(field, shown(text), "a label's or annotation's name")
    elif text is not None and not isinstance(text, str):
        yield Invalid(field, shown(text), "text, or null to take it away")


def _spec_problems(spec: Mapping[str, Any]) -> Iterator[Invalid]:
    for key, allowed in _REFUSED.items():
        if key in spec:
            yield Invalid(f"spec.{key}", shown(spec[key]), allowed)
    if PATCH in spec or RETAIN_KEYS in spec:
        yield Invalid("spec", f"{PATCH} or {RETAIN_KEYS}", "directives further down")
    yield from _directive_problems(dict(spec), within(POD["spec"]), "spec")
    yield from _id_problems(spec.get("securityContext"), "spec.securityContext")
    for listed in LISTS:
        if listed in spec and spec[listed] is None:
            yield Invalid(f"spec.{listed}", "nothing", "containers by name: null would take the pod's own away")
        yield from _list_problems(spec.get(listed), f"spec.{listed}")
    for index, volume in enumerate(mappings(spec.get("volumes"))):
        if volume.get("name") in VOLUMES:
            yield Invalid(f"spec.volumes[{index}].name", shown(volume["name"]), f"any but {', '.join(VOLUMES)}")


def _list_problems(containers: Json, field: str) -> Iterator[Invalid]:
    found: list[str] = []
    for index, container in enumerate(mappings(containers)):
        at, name = f"{field}[{index}]", container.get("name")
        if not isinstance(name, str) or not (name == EVERY or _NAME.fullmatch(name)):
            yield Invalid(f"{at}.name", shown(name), f"a container's name, or {EVERY} for each of the pod's")
            continue
        if name in found:
            yield Invalid(f"{at}.name", shown(name), "each name once")
        found.append(name)
        if name == EVERY and PATCH in container:
            yield Invalid(f"{at}.{PATCH}", shown(container[PATCH]), f"nothing with {EVERY}: a pod has containers")
        yield from container_problems(container, at)
        if name not in OWN:
            yield from _id_problems(container.get("securityContext"), f"{at}.securityContext")
            yield from _mount_problems(container, at)


def _mount_problems(container: Mapping[str, Any], field: str) -> Iterator[Invalid]:
    for index, mount in enumerate(mappings(container.get("volumeMounts"))):
        if mount.get("name") in VOLUMES:
            # The identity volume holds the sidecar's private key.
            yield Invalid(f"{field}.volumeMounts[{index}].name", shown(mount["name"]), "the sidecar's alone to mount")


def _id_problems(context: Json, field: str) -> Iterator[Invalid]:
    for key, taken in IDS[names.PROXY_CONTAINER].items():
        if isinstance(context, dict) and context.get(key) == taken:
            yield Invalid(f"{field}.{key}", str(taken), f"any number but {taken}, which is the proxy's")


def _directive_problems(value: Json, how: Listed | Merging | None, field: str) -> Iterator[Invalid]:
    """What a merge would not understand, at any depth."""
    match value:
        case dict() | str() | int() | float() if isinstance(how, Listed):
            yield Invalid(field, shown(value), "a list")
        case dict():
            for key, each in value.items():
                if key.startswith("$"):
                    yield from _one_directive_problems(key, value, field)
                else:
                    yield from _directive_problems(each, within(how).get(key), f"{field}.{key}")
        case list():
            for index, item in enumerate(value):
                at = f"{field}[{index}]"
                if isinstance(how, Listed):
                    yield from _key_problems(item, how, at)
                yield from _directive_problems(item, within(how), at)
        case _:
            return


def _key_problems(item: Json, how: Listed, field: str) -> Iterator[Invalid]:
    if not isinstance(item, dict):
        yield Invalid(field, shown(item), "a mapping")
    elif item.get(PATCH) != REPLACE and not is_key(item.get(how.key)):
        yield Invalid(f"{field}.{how.key}", shown(item.get(how.key)), "a value: the list is merged by it")


def _one_directive_problems(key: str, holder: dict[str, Json], field: str) -> Iterator[Invalid]:
    value = holder[key]
    if key == PATCH:
        if value not in (DELETE, REPLACE):
            yield Invalid(f"{field}.{key}", shown(value), f"{DELETE}, {REPLACE}")
    elif key == RETAIN_KEYS:
        extra = [each for each in holder if not each.startswith("$") and holder[each] is not None]
        if not isinstance(value, list) or not set(extra) <= {each for each in value if isinstance(each, str)}:
            yield Invalid(f"{field}.{key}", shown(value), f"a list that names {', '.join(extra) or 'what stays'}")
    elif key.startswith(DELETE_ITEMS):
        if not isinstance(value, list):
            yield Invalid(f"{field}.{key}", shown(value), "a list")
    else:
        yield Invalid(f"{field}.{key}", shown(value), f"{PATCH}, {RETAIN_KEYS}, {DELETE_ITEMS}NAME")


SIDECAR: Final = "sidecar"
GATEWAY: Final = "gateway"
BUILT_IN: Final[Mapping[str, PartialPod]] = {
    SIDECAR: PartialPod(),
    GATEWAY: PartialPod(spec={"initContainers": [{"name": names.INIT_CONTAINER, PATCH: DELETE}]}),
}
"""`sidecar` is what every pod gets anyway; `gateway` is only the proxy, to which nothing is redirected."""
