"""A client has its share of the connections, whatever it does with them, and keeps nobody else out."""

import asyncio
import socket
import ssl
from collections import Counter
from contextlib import AsyncExitStack
from ipaddress import ip_address
from typing import Any

import grpc
import grpc.aio
import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from ca.istio.bans import Bans, dropping
from ca.istio.connections import MOST, Share, filtered
from ca.istio.issuance import Call
from ca.istio.limits import Rate
from ca.istio.shares import surplus
from ca.istio.verdict import Code, Refuse
from support.istio import NAME
from support.istio_server import METHOD, Shown, opened, serving
from support.reaching import reached

ADDRESSES = [ip_address(f"10.0.0.{number}") for number in range(4)]


@given(st.lists(st.sampled_from(ADDRESSES)), st.integers(0, 5))
def test_what_is_beyond_a_share_is_the_youngest_and_each_share_is_left(addresses: list[Any], most: int) -> None:
    connections = dict(enumerate(addresses))
    ended = surplus(connections, most)
    left = {number: address for number, address in connections.items() if number not in ended}
    assert Counter(left.values()) == Counter({each: min(count, most) for each, count in Counter(addresses).items()})
    for number in ended:
        assert all(other < number for other, address in left.items() if address == connections[number])


async def test_a_client_that_opens_more_than_its_share_keeps_the_first_and_others_come_in() -> None:
    async with serving() as (shown, port), opened(shown, port) as early:
        assert await early.unary_unary(METHOD)(b"x") == b"x"
        crowd = [await connected(port) for _ in range(2 * MOST)]
        await reached(lambda: sum(map(ended, crowd)) == MOST + 1)
        assert not any(map(ended, crowd[: MOST - 1])), "those that were there first"
        assert await early.unary_unary(METHOD)(b"y") == b"y"
        context = ssl.create_default_context(cadata=shown.roots.decode())
        context.set_alpn_protocols(["h2"])
        _, other = await asyncio.open_connection(
            "127.0.0.1", port, ssl=context, server_hostname=NAME, local_addr=("127.0.0.2", 0)
        )
        other.close()
        for each in crowd:
            each.close()


async def test_who_is_refused_without_end_is_kept_out_for_a_time_and_nobody_else() -> None:
    share = Share(refusals=Rate(5, 60.0), seconds=1.5)
    async with serving(refusing, share=share) as (shown, port), opened(shown, port) as bad:
        for _ in range(5):
            assert await code(bad, 20) is grpc.StatusCode.UNAUTHENTICATED
        while (found := await code(bad)) is grpc.StatusCode.UNAUTHENTICATED:
            pass
        assert found in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}
        context = ssl.create_default_context(cadata=shown.roots.decode())
        context.set_alpn_protocols(["h2"])
        _, other = await asyncio.open_connection(
            "127.0.0.1", port, ssl=context, server_hostname=NAME, local_addr=("127.0.0.2", 0)
        )
        other.close()
        assert await bad.unary_unary(METHOD)(b"good", wait_for_ready=True, timeout=30) == b"good"


async def test_a_client_that_asks_too_much_at_once_is_put_off_and_others_are_answered() -> None:
    free = asyncio.Event()

    async def waiting(call: Call) -> bytes:
        await free.wait()
        return call.message

    async with serving(waiting, share=Share(calls=4)) as (shown, port), opened(shown, port) as many:
        calls = [many.unary_unary(METHOD)(b"x") for _ in range(6)]
        await reached(lambda: sum(call.done() for call in calls) == 2)
        free.set()
        found = await asyncio.gather(*calls, return_exceptions=True)
        codes = [each.code() for each in found if isinstance(each, grpc.aio.AioRpcError)]
        assert codes == [grpc.StatusCode.RESOURCE_EXHAUSTED] * 2
        assert await many.unary_unary(METHOD)(b"y") == b"y", "it may go on with as many as it may have"


async def test_a_crowd_behind_one_address_whose_connections_are_ended_here_is_not_kept_out_for_that() -> None:
    free, under_way = asyncio.Event(), 0

    async def waiting(call: Call) -> bytes:
        nonlocal under_way
        under_way += 1
        try:
            await free.wait()
        finally:
            under_way -= 1
        return call.message

    share = Share(connections=3, refusals=Rate(1, 60.0), seconds=30.0)
    async with serving(waiting, share=share) as (shown, port), AsyncExitStack() as stack:
        crowd = [await stack.enter_async_context(opened(shown, port)) for _ in range(8)]
        with capture_logs() as logs:
            calls = [each.unary_unary(METHOD)(b"x", timeout=10) for each in crowd]
            await reached(lambda: (under_way, sum(call.done() for call in calls)) == (3, 5))
            await asyncio.sleep(0)
            assert [each["event"] for each in logs] == ["more connections than one client may have"]
        free.set()
        found = await asyncio.gather(*calls, return_exceptions=True)
        assert found.count(b"x") == 3


async def test_who_gives_up_call_after_call_is_kept_out() -> None:
    begun = 0

    async def never(_: Call) -> bytes:
        nonlocal begun
        begun += 1
        await asyncio.Event().wait()
        raise AssertionError

    share = Share(refusals=Rate(3, 60.0), seconds=30.0)
    async with serving(never, share=share) as (shown, port), opened(shown, port) as bad:
        with capture_logs() as logs:
            for number in range(4):
                call = bad.unary_unary(METHOD)(b"x")
                await reached(lambda number=number: begun > number)
                call.cancel()
            await reached(lambda: [each["event"] for each in logs] == ["refused too often, and kept out"])


async def test_what_a_server_that_is_closed_kept_out_lets_the_next_one_at_its_port_keep_out_others() -> None:
    share = Share(refusals=Rate(1, 60.0), seconds=0.3)
    async with serving(refusing, share=share) as (shown, port), opened(shown, port) as bad:
        await code(bad)
        await code(bad)
    with socket.create_server(("127.0.0.1", port)) as listening:
        filtered(listening, dropping([ip_address("127.0.0.1")]))
        await asyncio.sleep(0.5)
        assert not comes_in(listening, socket.AF_INET)


async def refusing(call: Call) -> bytes | Refuse:
    return call.message if call.message == b"good" else Refuse(Code.UNAUTHENTICATED, "TokenRefused")


async def code(channel: Any, seconds: float = 0.3) -> Any:
    """A short time where the answer may be none, as for somebody whose ban would be over after a longer one."""
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await channel.unary_unary(METHOD)(b"bad", timeout=seconds)
    return error.value.code()


@pytest.mark.parametrize(("family", "here"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_the_kernel_drops_what_comes_from_a_banned_address_and_nothing_else(family: int, here: str) -> None:
    many = [ip_address(f"10.{number}.0.1") for number in range(20)]
    more = [ip_address(f"fd00::{number}") for number in range(1, 20)] + [ip_address("::2"), ip_address("1::1")]
    with socket.create_server((here, 0), family=family) as listening:
        for banned, comes in (([*many, *more], True), ([*many, ip_address(here), *more], False), ([], True)):
            filtered(listening, dropping(banned))
            assert comes_in(listening, family) is comes


def comes_in(listening: socket.socket, family: int) -> bool:
    with socket.socket(family) as client:
        client.settimeout(0.2)
        try:
            client.connect(listening.getsockname())
        except TimeoutError:
            return False
        return True


@given(st.lists(st.tuples(st.sampled_from(ADDRESSES), st.floats(0, 2)), max_size=60))
def test_a_ban_ends_by_itself_and_there_are_never_more_than_there_may_be(steps: list[Any]) -> None:
    bans, now, until = Bans(Rate(3, 1.0), seconds=10.0, most=2), 0.0, dict[Any, float]()
    for address, later in steps:
        now += later
        if bans.refused(address, now):
            until[address] = now + 10.0
        found = bans.at(now)
        assert len(found) <= 2
        assert all(until[each] > now for each in found)


async def test_who_closes_their_connections_may_open_others() -> None:
    async with serving() as (shown, port):
        for _ in range(3):
            held = [await connected(port) for _ in range(MOST)]
            for each in held:
                each.close()
        async with asyncio.timeout(30):
            # As soon as the server has seen that those are closed.
            while not await is_answered(shown, port):
                pass


async def is_answered(shown: Shown, port: int) -> bool:
    async with opened(shown, port) as found:
        try:
            return bool(await found.unary_unary(METHOD)(b"x", timeout=20) == b"x")
        except grpc.aio.AioRpcError as error:
            assert error.code() is grpc.StatusCode.UNAVAILABLE  # noqa: PT017 - of this call
            return False


async def connected(port: int) -> socket.socket:
    """One that says nothing."""
    found = socket.socket()
    found.setblocking(False)  # noqa: FBT003 - the standard library's
    await asyncio.get_running_loop().sock_connect(found, ("127.0.0.1", port))
    return found


def ended(connection: socket.socket) -> bool:
    try:
        return connection.recv(1, socket.MSG_PEEK) == b""
    except BlockingIOError:
        return False
    except ConnectionError:
        return True
