"""The configuration in force: the last one that was good, and what is wrong with a newer one. Pure."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeAlias

from proa.digest import digest
from proa.errors import Invalid, ProaError, shown
from proa.json import Json
from proa.mesh import MeshConfiguration, mesh_configuration
from proa.names import CONFIGURATION_KEY


@dataclass(frozen=True, slots=True)
class Configured:
    """*current* is None until there was a good one, *document* is its digest; *problem* is why the newest is not in
    force."""

    current: MeshConfiguration | None = None
    document: str = ""
    problem: ProaError | None = None


Reading: TypeAlias = Callable[[str], MeshConfiguration]
"""Of a document. Raises a ProaError for one that cannot be used."""


def configured(before: Configured, config_map: Json, name: str, reading: Reading = mesh_configuration) -> Configured:
    """After the ConfigMap *name* was seen as *config_map*, or as None: it is not there."""
    try:
        document = _document(config_map, name)
        return Configured(reading(document), digest(document.encode()))
    except ProaError as problem:
        return replace(before, problem=problem)


def _document(config_map: Json, name: str) -> str:
    match config_map:
        case None:
            raise Invalid(f"the ConfigMap {name}", "nothing", f"one whose data.{CONFIGURATION_KEY!r} is the mesh's")
        case {"data": {**data}} if CONFIGURATION_KEY in data:
            return str(data[CONFIGURATION_KEY])
        case {"data": {**data}}:
            raise Invalid(
                f"the ConfigMap {name}, data", shown(sorted(map(str, data))), f"the key {CONFIGURATION_KEY!r}"
            )
        case _:
            raise Invalid(f"the ConfigMap {name}, data", "nothing", f"the key {CONFIGURATION_KEY!r}")
