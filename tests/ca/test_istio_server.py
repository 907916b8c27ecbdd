"""What a client may cost the server of Istio's protocol: slow ones, silent ones, ones that speak something else."""

import asyncio
import ssl
import warnings
from contextlib import suppress
from datetime import timedelta
from ipaddress import ip_address
from typing import Any

import grpc
import grpc.aio
import pytest

from ca.authority import CertificateAuthority, self_signed_authority
from ca.istio.connections import Share
from ca.istio.issuance import Call
from ca.istio.limits import Rate
from ca.istio.server import CALLS, OPEN, STREAMS, Patience, peer_address
from ca.istio.serving import NAMES, credential
from ca.istio.tarpit import AT_ONCE
from ca.istio.verdict import Code, Refuse
from ca.profile import DEFAULT_LEAF
from proa.clock import system_clock
from proa.identity import TrustDomain
from support.door import until
from support.istio import NAME
from support.istio_server import METHOD, opened, serving


async def test_a_client_that_never_sends_its_request_is_sent_away() -> None:
    async with serving(patience=Patience(message=0.3)) as (shown, port), opened(shown, port) as found:
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
    async with serving(patience=Patience(handshake=0.3)) as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        async with asyncio.timeout(10):
            with suppress(ConnectionError):
                assert await reader.read() == b""
        writer.close()


async def test_who_speaks_no_tls_is_hung_up_on() -> None:
    async with serving(patience=Patience(handshake=0.3)) as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(64))
        async with asyncio.timeout(10):
            with suppress(ConnectionError):
                await reader.read()
        writer.close()


async def test_nothing_older_than_tls_1_2_is_spoken() -> None:
    async with serving() as (shown, port):
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

    async with serving(waiting, share=Share(connections=CALLS, calls=OPEN)) as (shown, port):
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
    async with serving() as (shown, port), opened(shown, port) as early:
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


async def refusing(call: Call) -> bytes | Refuse:
    return Refuse(Code.UNAUTHENTICATED, "TokenRefused") if call.message == b"bad" else call.message


async def test_who_is_refused_again_and_again_waits_for_it_and_others_do_not() -> None:
    patience = Patience(refusal=60, at_once=Rate(3, 3600))
    async with serving(refusing, patience) as (shown, port), opened(shown, port) as found:
        ask = found.unary_unary(METHOD)
        for _ in range(patience.at_once.burst):
            with pytest.raises(grpc.aio.AioRpcError):
                await ask(b"bad")
        held = [asyncio.ensure_future(ask(b"bad")) for _ in range(STREAMS - 1)]
        for _ in range(50):
            assert await ask(b"good") == b"good"
        assert not any(each.done() for each in held)
        for each in held:
            each.cancel()


async def test_a_refusal_that_was_held_is_told() -> None:
    async with serving(refusing, Patience(refusal=0.01)) as (shown, port), opened(shown, port) as found:
        for _ in range(AT_ONCE.burst + 5):
            with pytest.raises(grpc.aio.AioRpcError) as error:
                await found.unary_unary(METHOD)(b"bad")
            assert error.value.code() is grpc.StatusCode.UNAUTHENTICATED
