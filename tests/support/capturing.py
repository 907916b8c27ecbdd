"""Whether a pod's network is intercepted, by packets: what leaves it and what arrives."""

import asyncio
from typing import Any

from support.spaces import Agent, Namespace, running


async def assert_captured(outside: Namespace, inside: Namespace, result: Any) -> None:
    """Of the pod whose network is *inside*, made by CNI with *result*; *outside* is its node."""
    addresses = [each["address"].partition("/")[0] for each in result["ips"]]
    assert len(addresses) == 2
    listeners = (f"tcp:{port}" for port in (15001, 15006, 8080))
    with (
        running(inside, "serve", "pod", *listeners),
        running(inside, "agent") as leaving,
        running(outside, "agent") as coming,
    ):
        for address in addresses:
            seen = await _reached(Agent(coming), address, 8080)
            assert (seen["port"], seen["original"]) == (15006, _endpoint(address, 8080))
        for far in ("10.99.0.1", "fd99::1"):
            seen = await _reached(Agent(leaving), far, 80)
            assert (seen["port"], seen["original"]) == (15001, _endpoint(far, 80))


async def _reached(place: Agent, host: str, port: int) -> dict[str, object]:
    """A new link answers its first neighbour solicitations late."""
    for _ in range(100):
        seen = place.probe(
            uid=1000, gid=1000, host=host, port=port, source="", source_port=0, udp=False, mark=0, short=False
        )
        if "who" in seen:
            return seen
        await asyncio.sleep(0.1)
    raise AssertionError(seen)


def _endpoint(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
