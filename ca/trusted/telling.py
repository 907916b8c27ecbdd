"""Tells a node's agent whom the mesh believes beside its roots. Shell: what it is, `trust` says."""

from collections.abc import Callable
from typing import Final

from ca.istio.issuance import Call, Issuance
from ca.istio.verdict import Code, Refuse
from ca.trusted.messages import told
from ca.trusted.trust import trust
from proa.mesh import MeshConfiguration
from proa.rootsmap import revokes

_NO_CONFIGURATION: Final = Refuse(Code.UNAVAILABLE, "NoConfiguration")
_NO_CRLS: Final = Refuse(Code.UNAVAILABLE, "NoCrls", "there are no CRLs yet, without which nobody is to be believed")


class Telling:
    """*crls* answers those that there are now (PEM), empty while there are none."""

    def __init__(self, callers: Issuance, crls: Callable[[], str]) -> None:
        self._callers, self._crls = callers, crls
        self._of: tuple[MeshConfiguration, str] | None = None
        self._message = b""

    async def tell(self, call: Call) -> bytes | Refuse:
        """A TellResponse, for whoever may be told of anything."""
        mesh = self._callers.configuration.current
        if mesh is None:
            return self._callers.refused(_NO_CONFIGURATION, call)
        caller = await self._callers.caller(call, mesh)
        if isinstance(caller, Refuse):
            return self._callers.refused(caller, call)
        crls = self._crls() if revokes(mesh) else ""
        if revokes(mesh) and not crls:
            return self._callers.refused(_NO_CRLS, call, caller)
        return self._told(mesh, crls)

    def _told(self, mesh: MeshConfiguration, crls: str) -> bytes:
        """Made once of each: an anchor takes a signature, and whoever asks is not counted."""
        if self._of is None or self._of[0] is not mesh or self._of[1] != crls:
            self._of, self._message = (mesh, crls), told(trust(mesh, crls))
        return self._message
