"""How the parts of a Pod merge: which lists by which key, and which mappings others may add to. Pure.

The keys are Kubernetes' own (`x-kubernetes-patch-merge-key` of core/v1 Pod, version 1.37), of what may stand in the
specification of a pod that is made. A list that is not named here is replaced as a whole, as `args` and `tolerations`.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Final, TypeAlias, TypeGuard, cast

from proa.json import Json


@dataclass(frozen=True, slots=True)
class Listed:
    """A list whose items are told apart by their member *key*; *inside* is how an item's own members merge."""

    key: str
    inside: "Merging" = field(default_factory=dict[str, "Listed | Merging"])


Merging: TypeAlias = Mapping[str, "Listed | Merging"]
"""By member. A mapping is named where others than its author add to it, so that it is never theirs or ours alone."""

CONTAINER: Final[Merging] = {
    "env": Listed("name"),
    "ports": Listed("containerPort"),
    "volumeMounts": Listed("mountPath"),
    "volumeDevices": Listed("devicePath"),
    "resources": {"requests": {}, "limits": {}},
    "securityContext": {},
}
POD: Final[Merging] = {
    "metadata": {"labels": {}, "annotations": {}},
    "spec": {
        "containers": Listed("name", CONTAINER),
        "initContainers": Listed("name", CONTAINER),
        "ephemeralContainers": Listed("name", CONTAINER),
        "volumes": Listed("name"),
        "imagePullSecrets": Listed("name"),
        "hostAliases": Listed("ip"),
        "topologySpreadConstraints": Listed("topologyKey"),
        "schedulingGates": Listed("name"),
        "resourceClaims": Listed("name"),
        "evictionResponders": Listed("name"),
        "nodeSelector": {},
        "resources": {"requests": {}, "limits": {}},
        "securityContext": {},
    },
}


def within(merging: "Listed | Merging | None") -> Merging:
    """How the members below a member merge; of a list's, those of its items."""
    match merging:
        case Listed(inside=inside):
            return inside
        case None:
            return {}
        case _:
            return merging


def keys_of(items: Json, listed: Listed) -> list[str | int] | None:
    """The keys of all *items*; None where they do not tell them apart: two of a kind, or one without."""
    if not isinstance(items, list) or not _of(items, dict):
        return None
    keys = [cast("dict[str, Json]", item).get(listed.key) for item in items]
    return (
        cast("list[str | int]", keys)
        if _of(keys, str, int) and len(set(cast("list[str | int]", keys))) == len(items)
        else None
    )


def _of(values: list[Json], *kinds: type) -> bool:
    """Whether all are exactly of one of *kinds*; a list may have thousands of variables."""
    return set(map(type, values)) <= set(kinds)


def values_of(items: list[Json], key: str) -> list[Json]:
    """What stands as *key* in each item; None where there is nothing."""
    try:
        # Nearly all have it, and may be thousands.
        return list(map(itemgetter(key), cast("list[dict[str, Json]]", items)))
    except (KeyError, TypeError):
        return [item.get(key) if isinstance(item, dict) else None for item in items]


def places_of(keys: list[Json], wanted: Collection[str | int]) -> list[int]:
    """Where in *keys*, which may be thousands, those *wanted* are."""
    found = frozenset(wanted)
    try:
        if found.isdisjoint(cast("list[str | int]", keys)):
            return []
        places = [place for place, key in enumerate(keys) if key in found]
    except TypeError:
        # A key that is none, such as a list.
        places = [place for place, key in enumerate(keys) if is_key(key) and key in found]
    return [place for place in places if is_key(keys[place])]


def is_key(value: Json) -> TypeGuard[str | int]:
    """Whether *value* can tell an item of a list apart."""
    return isinstance(value, str | int) and not isinstance(value, bool)
