"""SPIFFE's Workload API by grpcio: streams each caller what is its own, again whenever it is another. Shell."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final, NoReturn, TypeAlias, TypeVar

import grpc
import grpc.aio
import structlog

from ca.istio.verdict import Code
from node.workload.attestation import Workload, WorkloadRefused, check_header
from node.workload.messages import SERVICE
from node.workload.metrics import Metrics
from node.workload.unread import Unread

Attests: TypeAlias = Callable[[str], Workload]
"""Who calls, by the library's name for the other end. Raises WorkloadRefused."""
Answer: TypeAlias = tuple[bytes, float]
"""A message, and the seconds after which another one may be due."""
Stream: TypeAlias = Callable[[Workload], Awaitable[Answer]]
Call: TypeAlias = Callable[[bytes, Workload], Awaitable[bytes]]
"""What a caller is answered. Both raise WorkloadRefused."""
T = TypeVar("T")

STREAMS: Final = 8
"""Of one connection at once."""
_GRACE: Final = 1.0
_LIMITS: Final = (
    ("grpc.max_receive_message_length", 16_384),
    # Kept as long as a stream is: clients send some hundred bytes.
    ("grpc.max_metadata_size", 4096),
    ("grpc.absolute_max_metadata_size", 4096),
    # A client has three or four. With all that `relay` lets in the process stays within what its pod may have.
    ("grpc.max_concurrent_streams", STREAMS),
    ("grpc.so_reuseport", 0),
)
_LOG: Final = structlog.get_logger("node")


@dataclass(frozen=True, slots=True)
class Api:
    """*streams* and *calls* are the methods by name. *changed* answers the event that has streams look again."""

    attests: Attests
    streams: Mapping[str, Stream]
    calls: Mapping[str, Call]
    changed: Callable[[], asyncio.Event]
    metrics: Metrics
    unread: Unread = field(default_factory=Unread)

    def server(self, address: str) -> grpc.aio.Server:
        """Not started yet, at *address*. Raises OSError."""
        methods: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {
            **{name: grpc.unary_stream_rpc_method_handler(self._stream(name)) for name in self.streams},
            **{name: grpc.unary_unary_rpc_method_handler(self._call(name)) for name in self.calls},
        }
        server = grpc.aio.server(options=_LIMITS)
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, methods),))
        try:
            server.add_insecure_port(f"unix:{address}")
        except RuntimeError as error:  # what the library says of every address that cannot be had
            raise OSError(str(error)) from error
        return server

    def _stream(self, method: str) -> Callable[[bytes, Any], AsyncIterator[bytes]]:
        async def followed(_: bytes, context: Any) -> AsyncIterator[bytes]:
            async for message in self._followed(method, context):
                yield message

        return followed

    def _call(self, method: str) -> Callable[[bytes, Any], Awaitable[bytes]]:
        async def answered(request: bytes, context: Any) -> bytes:
            async def made() -> bytes:
                return await self.calls[method](request, self._caller(context))

            message = await self._made(method, made, context)
            self.metrics.answered(method, "done")
            return message

        return answered

    async def _followed(self, method: str, context: Any) -> AsyncIterator[bytes]:
        """What there is now, and whenever that is another message."""

        async def made() -> tuple[str, Answer]:
            caller = self._caller(context)
            return caller.uid, await self.streams[method](caller)

        # Of what was sent last, which may be long.
        sent = b""
        while True:
            changed = self.changed()
            pod, (message, seconds) = await self._made(method, made, context)
            if (digest := sha256(message).digest()) != sent:
                try:
                    with self.unread.held(pod, len(message)):
                        self.metrics.answered(method, "done")
                        yield message
                except WorkloadRefused as refused:
                    await self._refuse(method, refused, context)
                sent = digest
            del message
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await changed.wait()

    async def _made(self, method: str, made: Callable[[], Awaitable[T]], context: Any) -> T:
        try:
            return await made()
        except WorkloadRefused as refused:
            return await self._refuse(method, refused, context)
        except Exception:  # noqa: BLE001 - what no code foresaw is not the caller's to know
            _LOG.exception("not answered")
            return await self._refuse(method, WorkloadRefused(Code.INTERNAL, "Bug", "internal"), context)

    def _caller(self, context: Any) -> Workload:
        check_header(context.invocation_metadata() or ())
        return self.attests(context.peer())

    async def _refuse(self, method: str, refused: WorkloadRefused, context: Any) -> NoReturn:
        self.metrics.answered(method, refused.reason)
        await context.abort(grpc.StatusCode[refused.status.name], refused.message)
        raise AssertionError("it raises by itself")


async def served(server: grpc.aio.Server, stopping: asyncio.Event) -> None:
    """Until *stopping*."""
    await server.start()
    try:
        await stopping.wait()
    finally:
        await server.stop(_GRACE)
