"""What a client may cost the server of Istio's protocol: slow ones, silent ones, ones that speak something else."""

import asyncio
import ssl
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from ipaddress import ip_address
from typing import Any

import grpc
import grpc.aio
import pytest

from ca.authority import CertificateAuthority, self_signed_authority
from ca.istio.issuance import Call
from ca.istio.server import CALLS, STREAMS, Patience, Server, peer_address
from ca.istio.serving import NAMES, Credential, credential
from ca.istio.verdict import Code, Refuse
from ca.profile import DEFAULT_LEAF
from proa.clock import system_clock
from proa.errors import Invalid
from proa.identity import TrustDomain
from support.door import until
from support.istio import LOCAL, NAME

METHOD = "/istio.v1.auth.IstioCertificateService/CreateCertificate"
BRIEF = Patience(handshake=0.3, message=0.3)


class Shown:
    """What the server shows: of *authority*, which may be another one later."""

    def __init__(self) -> None:
        self.authority: CertificateAuthority | None = self_signed_authority(TrustDomain("cluster.local"), system_clock)
        self._made: Credential | None = None

    def __call__(self) -> Credential:
        if self.authority is None:
            raise Invalid("the issuer", "none", "one")
        self._made = credential(self.authority, system_clock, self._made)
        return self._made

    @property
    def roots(self) -> bytes:
        assert self.authority is not None
        return self.authority.trust_bundle.encode()


async def echo(call: Call) -> bytes | Refuse:
    return call.message


@asynccontextmanager
async def serving(answer: Any = echo, patience: Patience = BRIEF) -> AsyncIterator[tuple[Shown, int]]:
    shown = Shown()
    server = Server(answer, shown, LOCAL, patience)
    await server.open()
    try:
        yield shown, server.bound[0]
    finally:
        await server.close()


def opened(shown: Shown, port: int) -> Any:
    names = {"grpc.ssl_target_name_override": NAME, "grpc.enable_retries": 0, "grpc.use_local_subchannel_pool": 1}
    credentials = grpc.ssl_channel_credentials(shown.roots)
    return grpc.aio.secure_channel(f"127.0.0.1:{port}", credentials, tuple(names.items()))


async def test_a_client_that_never_sends_its_request_is_sent_away() -> None:
    async with serving() as (shown, port), opened(shown, port) as found:
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await found.stream_unary(METHOD)()
        assert error.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_a_call_is_one_request_and_what_follows_it_is_left_alone() -> None:
    async with serving() as (shown, port), opened(shown, port) as found:
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await found.stream_unary(METHOD)(iter(()))
        assert error.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert await found.stream_unary(METHOD)(iter((b"one", b"two"))) == b"one"
        assert await found.unary_unary(METHOD)(b"one") == b"one"


async def test_who_connects_and_says_nothing_is_hung_up_on() -> None:
    async with serving() as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        async with asyncio.timeout(10):
            with suppress(ConnectionError):
                assert await reader.read() == b""
        writer.close()


async def test_who_speaks_no_tls_is_hung_up_on() -> None:
    async with serving() as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(64))
        async with asyncio.timeout(10):
            with suppress(ConnectionError):
                await reader.read()
        writer.close()


async def test_nothing_older_than_tls_1_2_is_spoken() -> None:
    async with serving(patience=Patience()) as (shown, port):
        context = ssl.create_default_context(cadata=shown.roots.decode())
        context.set_alpn_protocols(["h2"])
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        await connected_by(context, port)
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await connected_by(older(), port)


def older() -> ssl.SSLContext:
    """A client of TLS 1.1 alone."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings(action="ignore"):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    return context


async def connected_by(context: ssl.SSLContext, port: int) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname=NAME)
    writer.close()


async def test_what_nobody_foresaw_is_internal_and_tells_nothing() -> None:
    async def broken(_: Call) -> bytes:
        raise ValueError("a secret of ours")

    async with serving(broken) as (shown, port), opened(shown, port) as found:
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await found.unary_unary(METHOD)(b"x")
    assert error.value.code() is grpc.StatusCode.INTERNAL
    assert "secret" not in (error.value.details() or "")


async def test_a_refusal_says_when_to_come_again() -> None:
    async def busy(_: Call) -> Refuse:
        return Refuse(Code.RESOURCE_EXHAUSTED, "Busy", "later", 1.5)

    async with serving(busy) as (shown, port), opened(shown, port) as found:
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await found.unary_unary(METHOD)(b"x")
    assert error.value.details() == "later"
    assert dict(error.value.trailing_metadata())["grpc-retry-pushback-ms"] == "1500"


async def test_calls_beyond_what_it_holds_are_put_off_at_once_and_the_others_are_answered() -> None:
    """Over many connections, as one may hold some calls alone."""
    free, under_way = asyncio.Event(), 0

    async def waiting(call: Call) -> bytes:
        nonlocal under_way
        under_way += 1
        await free.wait()
        return call.message

    async with serving(waiting, Patience()) as (shown, port):
        channels = [opened(shown, port) for _ in range(CALLS // STREAMS + 1)]
        calls = [one.unary_unary(METHOD)(b"x") for one in channels for _ in range(STREAMS)]
        await until(lambda: under_way + sum(call.done() for call in calls) == len(calls))
        free.set()
        found = await asyncio.gather(*calls, return_exceptions=True)
        for one in channels:
            await one.close()
    codes = [each.code() for each in found if isinstance(each, grpc.aio.AioRpcError)]
    assert codes == [grpc.StatusCode.RESOURCE_EXHAUSTED] * STREAMS
    assert found.count(b"x") == CALLS


async def test_the_next_handshake_shows_the_next_issuers_certificate_and_no_connection_is_lost() -> None:
    async with serving(patience=Patience()) as (shown, port), opened(shown, port) as early:
        assert await early.unary_unary(METHOD)(b"x") == b"x"
        shown.authority = self_signed_authority(TrustDomain("cluster.local"), system_clock)
        async with opened(shown, port) as late:
            assert await late.unary_unary(METHOD)(b"y") == b"y"
        assert await early.unary_unary(METHOD)(b"z") == b"z"
        last, shown.authority = opened(shown, port), None
        async with last:
            assert await last.unary_unary(METHOD)(b"y") == b"y", "the last good certificate stays"


def test_the_doors_certificate_is_renewed_at_half_its_life_or_with_the_issuer(
    authority: CertificateAuthority, clock: Any
) -> None:
    first = credential(authority, clock, None)
    clock.advance(DEFAULT_LEAF / 2 - timedelta(minutes=2))
    assert credential(authority, clock, first) is first
    clock.advance(timedelta(minutes=2))
    second = credential(authority, clock, first)
    assert second.key != first.key
    other = self_signed_authority(TrustDomain("cluster.local"), clock)
    assert credential(other, clock, second).roots == other.trust_bundle.encode()
    assert "PRIVATE" not in repr(second)
    assert NAME in NAMES


@pytest.mark.parametrize(
    ("peer", "address"),
    [
        ("ipv4:10.0.0.1:42", "10.0.0.1"),
        ("ipv6:%5B2001:db8::1%5D:42", "2001:db8::1"),
        ("ipv6:[fe80::1%25eth0]:42", "fe80::1"),
        ("unix:/run/x", None),
        ("ipv4:", None),
    ],
)
def test_a_peers_address_is_read_as_the_library_writes_it(peer: str, address: str | None) -> None:
    assert peer_address(peer) == (None if address is None else ip_address(address))
