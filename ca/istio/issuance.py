"""One request by Istio's protocol: finds out who asks, decides, signs, says so. Shell."""

import asyncio
import secrets
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import Final

import structlog

from ca.audit import facts
from ca.authority import CertificateAuthority
from ca.inspection import LeafUnfit
from ca.issuing import issue
from ca.istio.asked import Address, Asked, Caller, PodToken
from ca.istio.holder import holder
from ca.istio.lines import Lines
from ca.istio.messages import asked, response
from ca.istio.metrics import Metrics
from ca.istio.population import Population
from ca.istio.quota import Quota
from ca.istio.reviews import Reviews
from ca.istio.token import shown_token
from ca.istio.turns import Turns
from ca.istio.verdict import Code, Refuse, verdict
from ca.storage import LiveMaterial
from ca.verdict import Sign
from kube.configuration import LiveConfiguration
from proa.doors import IstioGrpc
from proa.errors import Invalid, ProaError
from proa.mesh import MeshConfiguration

_LOG: Final = structlog.get_logger("ca.audit")


@dataclass(frozen=True, slots=True)
class Call:
    """What came in: the message, the values of the header `authorization`, the client's certificate where the port
    asks for one (PEM, verified up to our roots), and the address it came from."""

    message: bytes
    authorization: tuple[str, ...]
    certificate: bytes | None
    address: Address | None


@dataclass(frozen=True, slots=True)
class Issuance:
    material: LiveMaterial
    configuration: LiveConfiguration
    reviews: Reviews
    population: Population
    quota: Quota
    metrics: Metrics
    lines: Lines = field(default_factory=Lines)
    turns: Turns = field(default_factory=Turns)

    async def answer(self, call: Call) -> bytes | Refuse:
        """An IstioCertificateResponse, or why there is none: with a message that is fit for the caller."""
        since = perf_counter()
        self.metrics.asked()
        mesh = self.configuration.current
        if mesh is None:
            return self.refused(Refuse(Code.UNAVAILABLE, "NoConfiguration"), call)
        caller = await self.caller(call, mesh)
        if isinstance(caller, Refuse):
            return self.refused(caller, call)
        try:
            request = asked(call.message)
        except Invalid as problem:
            return self.refused(Refuse(Code.INVALID_ARGUMENT, "RequestUnreadable", str(problem)), call, caller)
        refused = self.too_often(request, caller, mesh)
        if not refused:
            await self.turns.turn()
        authority = self.material.authority
        if authority is None:
            return self.refused(Refuse(Code.UNAVAILABLE, "NoIssuer"), call, caller)
        decided = refused or verdict(request, caller, self.population, mesh, authority.clock())
        if isinstance(decided, Refuse):
            return self.refused(decided, call, caller, request)
        answer = await self._signed(decided, authority, call, caller, since)
        await asyncio.sleep(0)  # until the rest of the row is signed, too: to send is the library's part (`turns`)
        return answer

    async def caller(self, call: Call, mesh: MeshConfiguration) -> Caller | Refuse:
        """Who asks, by what was shown."""
        if call.certificate is not None:
            return holder(call.certificate, call.address)
        token = shown_token(call.authorization)
        if isinstance(token, Refuse):
            return token
        door = mesh.authority.istio
        audiences = door.audiences if isinstance(door, IstioGrpc) else ()
        return await self.reviews.caller(token, audiences, call.address)

    def too_often(self, asked: Asked, caller: Caller, mesh: MeshConfiguration) -> Refuse | None:
        """None if *caller* may ask now, which is then counted."""
        return self.quota.refusal(asked, caller, _proxies(mesh), asyncio.get_running_loop().time())

    async def _signed(
        self, sign: Sign, authority: CertificateAuthority, call: Call, caller: Caller, since: float
    ) -> bytes | Refuse:
        try:
            answer, known = await _issued(authority, sign)
        except ProaError as error:
            code = Code.INTERNAL if isinstance(error, LeafUnfit) else Code.UNAVAILABLE
            return self.refused(Refuse(code, "NotIssued", str(error)), call, caller)
        seconds = perf_counter() - since
        self.metrics.issued(type(caller).__name__, seconds)
        _LOG.info("issued", door="istio", reason="Signed", seconds=round(seconds, 4), **who(caller, call), **known)
        return answer

    def refused(
        self, refused: Refuse, call: Call, caller: Caller | None = None, request: Asked | None = None
    ) -> Refuse:
        """*refused* as the caller may know it. Who is not known learns no more than where to ask."""
        self.metrics.refused(refused.code, refused.reason)
        known = who(caller, call) if caller else {"address": str(call.address)}
        told = (refused.message if caller and refused.code is not Code.INTERNAL else "") or refused.code.value.lower()
        withheld = self.lines.withheld(known.get("pod_uid", known["address"]), asyncio.get_running_loop().time())
        if withheld is None:
            self.metrics.withheld()
            return replace(refused, message=f"{told}; not in the authority's log, where there are too many already")
        mark = secrets.token_hex(4)
        wanted = {"impersonated": request.impersonated[:256]} if request and request.impersonated else {}
        before = {"withheld": withheld} if withheld else {}
        words = {"code": refused.code.value, "reason": refused.reason, "message": refused.message, "request": mark}
        _LOG.info("refused", door="istio", **words, **known, **wanted, **before)
        return replace(refused, message=f"{told}; request {mark} in the authority's log")


def _proxies(mesh: MeshConfiguration) -> tuple[str, ...]:
    door = mesh.authority.istio
    return door.trusted_node_accounts if isinstance(door, IstioGrpc) else ()


async def _issued(authority: CertificateAuthority, sign: Sign) -> tuple[bytes, dict[str, str]]:
    chain = await issue(authority, sign)
    return response(chain, authority.trust_bundle), facts(chain, sign, authority.issuer.issuing)


def who(caller: Caller, call: Call) -> dict[str, str]:
    """For the log."""
    address = str(call.address)
    match caller:
        case PodToken():
            # By hand: `asdict` copies what is inside, and takes three times as long as all else here.
            return {
                "caller": "token",
                "namespace": caller.namespace,
                "service_account": caller.account,
                "pod": caller.pod,
                "pod_uid": caller.pod_uid,
                "node": caller.node,
                "credential": caller.credential,
                "address": address,
            }
        case _:
            shown = {"identity": caller.identity.uri, "shown_serial": f"{caller.serial:x}"}
            return {"caller": "certificate", **shown, "address": address}
