"""Which namespaces are given a ConfigMap with the roots, and which of them have one that is not current. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from cryptography import x509

from ca.certificates import pem
from kube.resources import CONFIG_MAPS, Key
from proa.json import Json
from proa.mesh import MeshConfiguration
from proa.names import AUTHORITY, ROOTS_MAP_LABEL
from proa.namespaces import injects, never_injected
from proa.rootsmap import ROOTS_KEY

_MANAGED: Final = "app.kubernetes.io/managed-by"
_LABELS: Final[Mapping[str, str]] = {_MANAGED: AUTHORITY, "app.kubernetes.io/part-of": "proa"}
_ASKED: Final[Mapping[str, bool]] = {"enabled": True, "disabled": False}


@dataclass(frozen=True, slots=True)
class Kept:
    """A ConfigMap by our name: whether it is *ours*, and what is in it."""

    ours: bool
    data: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Publish:
    """Apply it; *ours* already, so that whoever changed a field of it gives that up."""

    namespace: str
    ours: bool


@dataclass(frozen=True, slots=True)
class Remove:
    """The namespace opted out."""

    namespace: str


@dataclass(frozen=True, slots=True)
class Refuse:
    """Somebody else's is there, and stays."""

    namespace: str


Step: TypeAlias = Publish | Remove | Refuse


def asks(namespace: Json, mesh: MeshConfiguration) -> bool:
    """Whether a namespace is given the roots: as it says by a label of its own, else as its pods are injected.

    Pods that are injected for other reasons (their own labels, selectors of the configuration) need that label.
    """
    match namespace:
        case {"status": {"phase": "Terminating"}}:
            return False
        case {"metadata": {"name": str(name), **metadata}}:
            found = metadata.get("labels")
            labels = found if isinstance(found, dict) else {}
        case _:
            return False
    if never_injected(name, mesh):
        return False
    asked = _ASKED.get(str(labels.get(ROOTS_MAP_LABEL)))
    return injects(name, labels, mesh) if asked is None else asked


def kept(config_map: Json) -> Kept:
    match config_map:
        case {"metadata": {"labels": {**labels}}} if labels.get(_MANAGED) == AUTHORITY:
            ours = True
        case _:
            ours = False
    data = config_map.get("data") if isinstance(config_map, dict) else None
    return Kept(ours, {key: str(value) for key, value in data.items()} if isinstance(data, dict) else {})


def maps_due(wanted: Iterable[str], found: Mapping[str, Kept], data: Mapping[str, str]) -> tuple[Step, ...]:
    """What makes each of the *wanted* namespaces have *data*, and no other have a map of ours; *found* by namespace."""
    steps: list[Step] = []
    asking = frozenset(wanted)
    for namespace in sorted(asking):
        there = found.get(namespace)
        if there is None or (there.ours and there.data != data):
            steps.append(Publish(namespace, there is not None))
        elif not there.ours:
            steps.append(Refuse(namespace))
    gone = (namespace for namespace, there in found.items() if there.ours and namespace not in asking)
    return (*steps, *map(Remove, sorted(gone)))


def told_everywhere(wanted: Iterable[str], found: Mapping[str, Kept]) -> tuple[Mapping[str, str], ...]:
    """What the *wanted* namespaces are told, each content once.

    Without a map no pod that mounts it has started, and it is made with all that there is; and somebody else's is not
    for us to judge.
    """
    told = [found[namespace] for namespace in wanted if namespace in found]
    different = {tuple(sorted(each.data.items())) for each in told if each.ours}
    return tuple(map(dict, different))


def tells(data: Mapping[str, str], root: x509.Certificate) -> bool:
    return pem(root) in data.get(ROOTS_KEY, "")


def config_map(namespace: str, name: str, data: Mapping[str, str]) -> Json:
    """For a server-side apply."""
    metadata: Json = {"name": name, "namespace": namespace, "labels": dict(_LABELS)}
    return {
        "apiVersion": CONFIG_MAPS.api_version,
        "kind": CONFIG_MAPS.kind,
        "metadata": metadata,
        "data": dict(data),
    }


def by_namespace(maps: Iterable[tuple[Key, Kept]]) -> dict[str, Kept]:
    return {key.namespace: each for key, each in maps}
