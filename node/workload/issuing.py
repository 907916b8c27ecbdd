"""Asks the authority for pods: certificates by Istio's protocol, as a proxy of their node does, and tokens. Shell.

The key is made here and does not leave the node; the authority sees that the pod runs on this node (ca/istio/verdict).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import grpc
import grpc.aio
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from ca.csr import stub_request
from ca.istio.messages import METHOD, SERVICE, answered, request
from ca.istio.verdict import Code
from ca.jwt import messages
from ca.randomness import new_key
from ca.trusted import messages as trusted
from ca.trusted.messages import Trust, trust_told
from node.workload.attestation import WorkloadRefused
from node.workload.roots import Roots
from node.workload.svid import Svid, svid
from node.workload.token import Token, token
from proa.errors import Invalid
from proa.identity import WorkloadIdentity
from proa.names import AUTHORITY_HOST

_SECONDS: Final = 10.0
_OPTIONS: Final = (
    # Whatever address it is called by, this is who it has to be.
    ("grpc.ssl_target_name_override", AUTHORITY_HOST),
    ("grpc.enable_http_proxy", 0),
    ("grpc.enable_retries", 0),
)


@dataclass(frozen=True, slots=True)
class Authority:
    """At *address*, `host:port`. *shown* is the file of the agent's own token, which the kubelet keeps current."""

    address: str
    shown: Path
    roots: Roots

    async def svid(self, identity: WorkloadIdentity) -> Svid:
        """For a new key. Raises WorkloadRefused, always with UNAVAILABLE: it is nothing that the caller did."""
        key = new_key()
        csr = x509.load_der_x509_csr(stub_request(key)).public_bytes(Encoding.PEM)
        try:
            return svid(answered(await self._called(f"/{SERVICE}/{METHOD}", request(csr, identity.uri))), key, identity)
        except Invalid as problem:
            raise _unfit(problem) from problem

    async def token(self, identity: WorkloadIdentity, audiences: tuple[str, ...]) -> Token:
        """A JWT-SVID. Raises WorkloadRefused, as `svid`; with UNIMPLEMENTED where the mesh has none."""
        message = messages.create_request(audiences, identity.uri)
        answer = await self._called(f"/{messages.SERVICE}/{messages.CREATE}", message)
        try:
            return token(messages.created(answer), identity, audiences)
        except Invalid as problem:
            raise _unfit(problem) from problem

    async def key_set(self) -> bytes:
        """That verifies JWT-SVIDs, a JWK set. Raises WorkloadRefused, as `token`."""
        answer = await self._called(f"/{messages.SERVICE}/{messages.KEYS}", b"")
        try:
            return messages.told_keys(answer)
        except Invalid as problem:
            raise _unfit(problem) from problem

    async def trust(self) -> Trust:
        """Whom the mesh believes beside the roots. Raises WorkloadRefused, as `token`; with UNIMPLEMENTED by an
        authority of before."""
        try:
            return trust_told(await self._called(f"/{trusted.SERVICE}/{trusted.TELL}", b""))
        except Invalid as problem:
            raise _unfit(problem) from problem

    async def _called(self, method: str, message: bytes) -> bytes:
        try:
            return await self._answer(method, message)
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.UNIMPLEMENTED:
                raise WorkloadRefused(Code.UNIMPLEMENTED, "NoTokens", "this mesh has no JWT-SVIDs") from error
            raise _unavailable("AuthorityRefused", f"{error.code().name}: {error.details()}") from error
        except OSError as error:
            raise _unavailable("NoToken", str(error)) from error

    async def _answer(self, method: str, message: bytes) -> bytes:
        # A connection for each: it is asked once in hours, and its roots may be others by then.
        headers = (("authorization", f"Bearer {self.shown.read_text().strip()}"),)
        credentials = grpc.ssl_channel_credentials(self.roots.pem)
        async with grpc.aio.secure_channel(self.address, credentials, _OPTIONS) as channel:
            call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(method)
            return await call(message, metadata=headers, timeout=_SECONDS)


def _unfit(problem: Invalid) -> WorkloadRefused:
    return _unavailable("AnswerUnfit", str(problem))


def _unavailable(reason: str, message: str) -> WorkloadRefused:
    return WorkloadRefused(Code.UNAVAILABLE, reason, message)
