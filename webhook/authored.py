"""What a pod's author says of Proa's own containers: by containers of those names in the pod. Pure."""

from collections.abc import Iterator, Mapping
from typing import TypeAlias, cast

from proa.errors import Invalid, Problems, shown
from proa.json import Json
from proa.overlay import bare
from proa.partial import LISTS
from proa.protected import AUTO, OWN, author_problems, container_problems
from proa.trees import listed

_Object: TypeAlias = dict[str, Json]


def authored(came: _Object, problems: Problems) -> Iterator[tuple[str, _Object]]:
    """What the user's own containers of Proa's names say of Proa's."""
    found: list[str] = []
    for containers in LISTS:
        for index, item in enumerate(items_of(came, containers)):
            name, at = item.get("name"), f"spec.{containers}[{index}]"
            if name not in OWN:
                continue
            if name in found:
                problems.add([Invalid(f"{at}.name", shown(name), "one container of this name, which is Proa's")])
            problems.add(_directives(item, at))
            partial = cast("_Object", bare(item))
            # A regular sidecar's restartPolicy is the pod's, a native one's stands where it is made.
            partial.pop("restartPolicy", None)
            problems.add((*container_problems(partial, at), *author_problems(partial, at)))
            found.append(str(name))
            yield str(name), _automatic(partial)


def _directives(item: Json, field: str) -> Iterator[Invalid]:
    match item:
        case dict():
            for key, each in item.items():
                if key.startswith("$"):
                    yield Invalid(f"{field}.{key}", shown(each), "fields alone: a pod is no patch")
                yield from _directives(each, f"{field}.{key}")
        case list():
            for index, each in enumerate(item):
                yield from _directives(each, f"{field}[{index}]")
        case _:
            return


def _automatic(partial: _Object) -> _Object:
    if partial.get("image") != AUTO:
        return partial
    # The API server has set the pull policy of an image without a tag, before anybody was asked.
    left = {key: value for key, value in partial.items() if key != "image"}
    return {key: value for key, value in left.items() if (key, value) != ("imagePullPolicy", "Always")}


def without(came: _Object, own: Mapping[str, _Object]) -> _Object:
    spec = dict(cast("_Object", came["spec"]))
    for containers in LISTS:
        if any(item.get("name") in own for item in items_of(came, containers)):
            spec[containers] = [item for item in items_of(came, containers) if item.get("name") not in own]
    return {**came, "spec": spec}


def items_of(pod: _Object, containers: str) -> list[_Object]:
    """The pod's list of that name, of containers that have been read once."""
    return cast("list[_Object]", listed(pod, "spec", containers))
