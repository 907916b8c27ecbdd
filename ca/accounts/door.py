"""The door of Secrets as the leader's duty: open while the mesh's configuration wants it. Shell."""

from ca.accounts.keeping import Keeping
from ca.accounts.metrics import Metrics
from ca.duty import ConfiguredDuty
from ca.surroundings import Surroundings
from proa.doors import AccountSecrets
from proa.mesh import MeshConfiguration


def accounts_door(around: Surroundings[Metrics]) -> ConfiguredDuty:
    def begin(mesh: MeshConfiguration) -> Keeping | None:
        return Keeping(around, mesh) if isinstance(mesh.authority.secrets, AccountSecrets) else None

    return ConfiguredDuty(around.configuration, around.material, begin, lambda: around.metrics.failing(0))
