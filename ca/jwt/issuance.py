"""One request for a JWT-SVID: who asks is found out as for a certificate; then it is signed, or refused. Shell."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import msgspec
import structlog

from ca.istio.asked import Asked, Caller
from ca.istio.issuance import Call, Issuance, who
from ca.istio.verdict import Code, Refuse, proven_identity
from ca.jwt.keys import Keys, key_set, signer
from ca.jwt.messages import create_asked, create_response, keys_response
from ca.jwt.svid import checked_audiences, jwt_svid
from proa.clock import Clock
from proa.doors import issuer
from proa.errors import Invalid
from proa.identity import WorkloadIdentity
from proa.mesh import MeshConfiguration

_LOG: Final = structlog.get_logger("ca.audit")
_OFF: Final = Refuse(Code.UNIMPLEMENTED, "NoTokens", "the configuration wants no JWT-SVIDs")
_NO_KEYS: Final = Refuse(Code.UNAVAILABLE, "NoJwtKeys", "the keys that sign are not there yet")


@dataclass(frozen=True, slots=True)
class JwtIssuance:
    """*keys* answers those that there are now, oldest first."""

    callers: Issuance
    keys: Callable[[], Keys]
    clock: Clock

    async def create(self, call: Call) -> bytes | Refuse:
        """A CreateResponse."""
        mesh = self.callers.configuration.current
        if mesh is None or not issuer(mesh.authority):
            return self.callers.refused(_OFF, call)
        caller = await self.callers.caller(call, mesh)
        if isinstance(caller, Refuse):
            return self.callers.refused(caller, call)
        try:
            named, wanted = create_asked(call.message)
            audiences = checked_audiences(named)
        except Invalid as problem:
            return self.callers.refused(Refuse(Code.INVALID_ARGUMENT, "RequestUnreadable", str(problem)), call, caller)
        asked = Asked(b"", impersonated=wanted)
        identity = self._identity(asked, caller, mesh)
        if isinstance(identity, Refuse):
            return self.callers.refused(identity, call, caller, asked)
        keys, now = self.keys(), self.clock()
        token = jwt_svid(keys, identity, audiences, issuer(mesh.authority), now)
        self.callers.metrics.token()
        known = {"identity": identity.uri, "audiences": audiences, "key": signer(keys, now).identifier}
        _LOG.info("issued", door="jwt", reason="Signed", **who(caller, call), **known)
        return create_response(token)

    def _identity(self, asked: Asked, caller: Caller, mesh: MeshConfiguration) -> WorkloadIdentity | Refuse:
        if not self.keys():
            return _NO_KEYS
        refused = self.callers.too_often(asked, caller, mesh)
        return refused or proven_identity(asked, caller, self.callers.population, mesh, self.clock())

    async def told(self, call: Call) -> bytes | Refuse:
        """A KeysResponse, for whoever may be told of anything."""
        mesh, keys = self.callers.configuration.current, self.keys()
        if mesh is None or not issuer(mesh.authority):
            return self.callers.refused(_OFF, call)
        caller = await self.callers.caller(call, mesh)
        if isinstance(caller, Refuse):
            return self.callers.refused(caller, call)
        if not keys:
            return self.callers.refused(_NO_KEYS, call, caller)
        return keys_response(msgspec.json.encode(key_set(keys)))
