"""Istio's protocol over TLS, by grpcio: takes calls in, gives answers out, and bounds what a client may cost. Shell.

Imported only where the door is open: the library takes 11 MB beside what the process has.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from ipaddress import ip_address
from typing import Any, Final, NoReturn, TypeAlias, cast
from urllib.parse import unquote

import grpc
import grpc.aio
import structlog

from ca.istio.asked import Address
from ca.istio.connections import SHARE, Connections, Peer, Share
from ca.istio.door import Addresses
from ca.istio.issuance import Call
from ca.istio.limits import Rate
from ca.istio.serving import Credential
from ca.istio.tarpit import AT_ONCE, HELD, Tarpit
from ca.istio.verdict import Code, Refuse
from proa.errors import Invalid, ProaError

Answer: TypeAlias = Callable[[Call], Awaitable[bytes | Refuse]]
Answers: TypeAlias = Mapping[str, Mapping[str, Answer]]
"""By the method's name, by the service's."""
Credentials: TypeAlias = Callable[[], Credential]
"""What to show now; asked at every handshake, in a thread of the library's. Raises ProaError."""

LARGEST_MESSAGE: Final = 32 * 1024
"""Bytes: twice the largest request of `csr`."""
LARGEST_HEADERS: Final = 32 * 1024
"""Bytes: twice the longest of `token`."""
CONNECTIONS: Final = 512
"""At each port. One takes 50 KiB, a call 20 and its headers: with all that is allowed here the process had 180 MiB, of
the 384 that its pod may have (measured on grpcio 1.85, by a client that sends no request)."""
CALLS: Final = 512
"""Under way at once; what is beyond is put off with RESOURCE_EXHAUSTED."""
OPEN: Final = 2 * CALLS
"""The same with those whose request is not there yet."""
STREAMS: Final = 16
"""Calls of one connection at once; its client keeps what is beyond until one of them is answered."""
_BUSY: Final = Refuse(Code.RESOURCE_EXHAUSTED, "Busy", "too many calls at once", 1.0)
_TOO_MANY: Final = Refuse(Code.RESOURCE_EXHAUSTED, "TooManyCalls", "too many calls at once of this address", 1.0)
_FINAL: Final = frozenset({Code.UNAUTHENTICATED, Code.PERMISSION_DENIED, Code.INVALID_ARGUMENT})
"""After which no client of good will asks again. Of others it may be our fault that there are many."""
_GRACE: Final = 5.0
_LIMITS: Final = (
    ("grpc.max_receive_message_length", LARGEST_MESSAGE),
    ("grpc.max_metadata_size", LARGEST_HEADERS),
    ("grpc.absolute_max_metadata_size", LARGEST_HEADERS),
    ("grpc.max_allowed_incoming_connections", CONNECTIONS),
    ("grpc.max_concurrent_streams", STREAMS),
    # An agent asks once in hours: its connection is not to keep the next one out.
    ("grpc.max_connection_idle_ms", 5_000),
    # Clients spread over the replicas again; the library varies it by a tenth.
    ("grpc.max_connection_age_ms", 1_800_000),
    ("grpc.max_connection_age_grace_ms", 10_000),
    ("grpc.http2.max_ping_strikes", 2),
    ("grpc.so_reuseport", 0),
)


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds for a handshake, for a call's message, and for which a refusal is held back (`tarpit`), from how many of
    one address on."""

    handshake: float = 10.0
    message: float = 10.0
    refusal: float = HELD
    at_once: Rate = AT_ONCE


PATIENCE: Final = Patience()


class Server:
    """Opened by `open`, closed by `close`. *bound* are its ports."""

    def __init__(
        self,
        answers: Answers,
        credentials: Credentials,
        addresses: Addresses,
        patience: Patience = PATIENCE,
        share: Share = SHARE,
    ) -> None:
        self._patience, self._tarpit = patience, Tarpit(patience.at_once, patience.refusal)
        options = (*_LIMITS, ("grpc.server_handshake_timeout_ms", int(patience.handshake * 1000)))
        self._server, self._open, self._under_way = grpc.aio.server(options=options), 0, 0
        for service, methods in answers.items():
            # As a stream of one message, so that the time for it can be bounded: on the wire it is the same.
            handlers: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {
                method: grpc.stream_unary_rpc_method_handler(partial(self._called, answer))
                for method, answer in methods.items()
            }
            self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
        self._credentials, self._addresses = credentials, addresses
        self._share, self._connections = share, Connections(share)
        self._of = Counter[Address | None]()
        self.bound: tuple[int, ...] = ()

    def _bound(self, address: str, credentials: grpc.ServerCredentials) -> int:
        try:
            return self._server.add_secure_port(address, credentials)
        except RuntimeError as error:
            # The library's word for every failure to listen; it logs the kernel's.
            raise Invalid("the address", f"{address}, which is taken or is none of this pod's", "a free one") from error

    async def open(self) -> None:
        """Raises ProaError if it cannot listen, or has no certificate to show."""
        try:
            self.bound = self._connections.ports = tuple(
                self._bound(address, _tls(self._credentials, self._connections.came, demanding=demanding))
                for address, demanding in ((self._addresses.tokens, False), (self._addresses.certificates, True))
            )
        except ProaError:
            # The one port is bound, and none but a server that ran gives it back.
            await self._server.start()
            await self._server.stop(None)
            raise
        await self._server.start()

    async def close(self) -> None:
        """Answer what is under way, for some seconds."""
        await self._server.stop(_GRACE)
        # Another server may listen there before the last ban is over, whose filters are its own.
        self._connections.ports = ()

    async def _called(self, answering: Answer, _: object, context: Any) -> bytes:
        # Counted here: the library's own limit cancels some of the calls beyond it, without a word (seen on 1.85).
        if self._open >= OPEN:
            await _abort(context, _BUSY)
        address, peer = peer_address(context.peer()), _peer(context.peer())
        if self._of[address] >= self._share.calls:
            self._connections.refused(address)
            await _abort(context, _TOO_MANY)
        self._open += 1
        self._of[address] += 1
        try:
            return await self._taken(answering, context)
        except asyncio.CancelledError:
            # What its client gives up costs as much as a refusal.
            self._connections.given_up(peer)
            raise
        finally:
            self._open -= 1
            self._of[address] -= 1
            if not self._of[address]:
                del self._of[address]

    async def _taken(self, answering: Answer, context: Any) -> bytes:
        message = await self._read(context)
        # Not before the request is there: a client that still sends may see its call cancelled, and not the answer.
        answer = await self._answered(answering, message, context) if self._under_way < CALLS else _BUSY
        if isinstance(answer, Refuse):
            # Open until it is told, so that what is held is within what the process may hold.
            await self._refuse(context, answer)
        return answer

    async def _refuse(self, context: Any, refused: Refuse) -> NoReturn:
        address = peer_address(context.peer())
        if refused.code in _FINAL:
            self._connections.refused(address)
        if seconds := self._tarpit.enter(address, asyncio.get_running_loop().time()):
            try:
                await asyncio.sleep(seconds)
            finally:
                self._tarpit.leave()
        await _abort(context, refused)

    async def _read(self, context: Any) -> bytes:
        try:
            async with asyncio.timeout(self._patience.message):
                message = await context.read()
        except TimeoutError:
            await _abort(context, Refuse(Code.DEADLINE_EXCEEDED, "Slow", "no whole request in time"))
        if message is grpc.aio.EOF:
            await _abort(context, Refuse(Code.INVALID_ARGUMENT, "NoRequest", "no request"))
        # What may follow is left alone: to wait for the end would cost as much as half a signature.
        return cast("bytes", message)

    async def _answered(self, answering: Answer, message: bytes, context: Any) -> bytes | Refuse:
        self._under_way += 1
        try:
            return await answering(_call(message, context))
        except Exception:  # noqa: BLE001 - a request that no code foresaw must not tell its caller what went wrong
            _LOG.exception("not answered")
            return Refuse(Code.INTERNAL, "Bug", "internal")
        finally:
            self._under_way -= 1


_LOG: Final = structlog.get_logger("ca")


async def _abort(context: Any, refused: Refuse) -> NoReturn:
    # https://github.com/grpc/proposal/blob/master/A6-client-retries.md: "pushback".
    pushback = (("grpc-retry-pushback-ms", str(round(refused.after * 1000))),) if refused.after else ()
    await context.abort(grpc.StatusCode[refused.code.name], refused.message, pushback)
    raise AssertionError("it raises by itself")


def _call(message: bytes, context: Any) -> Call:
    shown = [str(value) for key, value in context.invocation_metadata() if key == "authorization"]
    certificates = context.auth_context().get("x509_pem_cert", ())
    return Call(message, tuple(shown), next(iter(certificates), None), peer_address(context.peer()))


@lru_cache(maxsize=2 * CONNECTIONS)
def peer_address(peer: str) -> Address | None:
    """The address in the library's words for it: `ipv4:10.0.0.1:42` or `ipv6:%5B::1%5D:42`."""
    family, _, place = unquote(peer).partition(":")
    if family not in {"ipv4", "ipv6"}:
        return None
    try:
        return ip_address(place.rpartition(":")[0].strip("[]").partition("%")[0])
    except ValueError:
        return None


def _peer(peer: str) -> Peer | None:
    address, port = peer_address(peer), peer.rpartition(":")[2]
    return Peer(address, int(port)) if address is not None and port.isdecimal() else None


def _tls(credentials: Credentials, came: Callable[[], None], *, demanding: bool) -> grpc.ServerCredentials:
    """TLS with whatever *credentials* answers at the time of each handshake. *came* is called before it."""
    shown = credentials()

    def fetched() -> grpc.ServerCertificateConfiguration | None:
        nonlocal shown
        came()
        try:
            now = credentials()
        except ProaError as error:
            _LOG.warning("no certificate for the door of Istio's protocol", error=str(error), code=error.code)
            return None
        if now is shown:
            return None
        shown = now
        return _configuration(now, demanding=demanding)

    # None is the library's word for no change, though its types do not say so.
    fetcher = cast("Callable[[], grpc.ServerCertificateConfiguration]", fetched)
    return grpc.dynamic_ssl_server_credentials(_configuration(shown, demanding=demanding), fetcher, demanding)


def _configuration(shown: Credential, *, demanding: bool) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration([(shown.key, shown.chain)], shown.roots if demanding else None)
