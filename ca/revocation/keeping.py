"""Keeps the register: CRLs renewed in time, issuers waiting for their turn. Shell. The leader's."""

from typing import Final

from ca.duty import ConfiguredDuty, Looking
from ca.revocation.listing import Listing, LiveCrls
from ca.revocation.metrics import Metrics
from ca.revocation.register import REVOCATION_SECRET
from ca.revocation.storage import Stored, stored
from ca.storage import Issuing
from ca.surroundings import Surroundings
from kube.calls import Selection, Selectors
from kube.index import Index
from kube.resources import SECRETS
from proa.mesh import MeshConfiguration
from proa.names import SYSTEM_NAMESPACE
from proa.rootsmap import revokes

NAMED: Final = Selection(SYSTEM_NAMESPACE, Selectors(field=f"metadata.name={REVOCATION_SECRET}"))


def revocation(around: Surroundings[Metrics], crls: LiveCrls, issuing: Issuing) -> ConfiguredDuty:
    """The leader's duty, while the configuration wants CRLs."""
    listing = Listing(around.client, around.clock, around.reports, around.metrics, crls, issuing)

    def begin(mesh: MeshConfiguration) -> Looking | None:
        if not revokes(mesh):
            return None

        async def look() -> float:
            return (await listing.look(mesh)).total_seconds()

        return Looking(Index[Stored](around.client, SECRETS, NAMED, stored), look, least=1.0)

    def ended() -> None:
        crls.show("")
        around.metrics.forget()

    return ConfiguredDuty(around.configuration, around.material, begin, ended)
