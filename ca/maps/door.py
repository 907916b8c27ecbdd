"""The door of ConfigMaps as the leader's duty: open while the mesh's configuration wants it. Shell."""

from ca.duty import ConfiguredDuty
from ca.maps.keeping import Joined, Keeping
from ca.maps.metrics import Metrics
from ca.surroundings import Surroundings
from proa.mesh import MeshConfiguration
from proa.rootsmap import map_name


def maps_door(around: Surroundings[Metrics], joined: Joined) -> ConfiguredDuty:
    def begin(mesh: MeshConfiguration) -> Keeping | None:
        return Keeping(around, joined, mesh) if map_name(mesh) else None

    return ConfiguredDuty(around.configuration, around.material, begin, lambda: around.metrics.failing(0))
