"""Istio's protocol over TLS, by grpcio: takes calls in, gives answers out, and bounds what a client may cost. Shell.

Imported only where the door is open: the library takes 11 MB beside what the process has.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, Final, NoReturn, TypeAlias, cast
from urllib.parse import unquote

import grpc
import grpc.aio
import structlog

from ca.istio.asked import Address
from ca.istio.door import Addresses
from ca.istio.issuance import Call
from ca.istio.messages import METHOD, SERVICE
from ca.istio.serving import Credential
from ca.istio.verdict import Code, Refuse
from proa.errors import Invalid, ProaError

Answer: TypeAlias = Callable[[Call], Awaitable[bytes | Refuse]]
Credentials: TypeAlias = Callable[[], Credential]
"""What to show now; asked at every handshake, in a thread of the library's. Raises ProaError."""

LARGEST_MESSAGE: Final = 32 * 1024
"""Bytes: twice the largest request of `csr`."""
LARGEST_HEADERS: Final = 32 * 1024
"""Bytes: twice the longest of `token`."""
CONNECTIONS: Final = 512
"""At each port. One takes 50 KiB, a call 20 and its headers: with all that is allowed here the process had 180 MiB, of
the 256 that its pod may have (measured on grpcio 1.85, by a client that sends no request)."""
CALLS: Final = 512
"""Under way at once; what is beyond is put off with RESOURCE_EXHAUSTED."""
OPEN: Final = 2 * CALLS
"""The same with those whose request is not there yet."""
STREAMS: Final = 16
"""Calls of one connection at once; its client keeps what is beyond until one of them is answered."""
_BUSY: Final = Refuse(Code.RESOURCE_EXHAUSTED, "Busy", "too many calls at once", 1.0)
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
    """Seconds for a handshake, and for a call's message."""

    handshake: float = 10.0
    message: float = 10.0


PATIENCE: Final = Patience()


class Server:
    """Opened by `open`, closed by `close`. *bound* are its ports."""

    def __init__(
        self, answer: Answer, credentials: Credentials, addresses: Addresses, patience: Patience = PATIENCE
    ) -> None:
        self._answer, self._patience = answer, patience
        options = (*_LIMITS, ("grpc.server_handshake_timeout_ms", int(patience.handshake * 1000)))
        self._server, self._open, self._under_way = grpc.aio.server(options=options), 0, 0
        # As a stream of one message, so that the time for it can be bounded: on the wire it is the same.
        handler: grpc.RpcMethodHandler[bytes, bytes] = grpc.stream_unary_rpc_method_handler(self._called)
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {METHOD: handler}),))
        self._credentials, self._addresses = credentials, addresses
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
            self.bound = tuple(
                self._bound(address, _tls(self._credentials, demanding=demanding))
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

    async def _called(self, _: object, context: Any) -> bytes:
        # Counted here: the library's own limit cancels some of the calls beyond it, without a word (seen on 1.85).
        if self._open >= OPEN:
            await _abort(context, _BUSY)
        self._open += 1
        try:
            message = await self._read(context)
            # Not before the request is there: a client that still sends may see its call cancelled, and not the answer.
            answer = await self._answered(message, context) if self._under_way < CALLS else _BUSY
        finally:
            self._open -= 1
        if isinstance(answer, Refuse):
            await _abort(context, answer)
        return answer

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

    async def _answered(self, message: bytes, context: Any) -> bytes | Refuse:
        self._under_way += 1
        try:
            return await self._answer(_call(message, context))
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


def peer_address(peer: str) -> Address | None:
    """The address in the library's words for it: `ipv4:10.0.0.1:42` or `ipv6:%5B::1%5D:42`."""
    family, _, place = unquote(peer).partition(":")
    if family not in {"ipv4", "ipv6"}:
        return None
    try:
        return ip_address(place.rpartition(":")[0].strip("[]").partition("%")[0])
    except ValueError:
        return None


def _tls(credentials: Credentials, *, demanding: bool) -> grpc.ServerCredentials:
    """TLS with whatever *credentials* answers at the time of each handshake."""
    shown = credentials()

    def fetched() -> grpc.ServerCertificateConfiguration | None:
        nonlocal shown
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
