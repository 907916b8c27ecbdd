"""What an admin has to mend is told once an hour, and never keeps the process from its end."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

from ca.reports import AGAIN, Reports
from kube.client import Client, connected
from support.api_server import ApiServer, kubeconfig
from support.reaching import reached


def events(server: ApiServer) -> int:
    return sum("events" in request and not request.startswith("GET") for request in server.requests)


async def test_the_same_is_told_again_after_an_hour_and_what_waits_is_told_at_the_end(
    client: Client, api_server: ApiServer, clock: Any
) -> None:
    reports, stopping = Reports(client, clock), asyncio.Event()
    task = asyncio.create_task(reports.service(stopping))
    reports.warn("Unfit", "the Secret")
    reports.warn("Unfit", "the Secret")
    await reached(lambda: events(api_server) == 1)
    clock.advance(AGAIN + timedelta(seconds=1))
    reports.warn("Unfit", "the Secret")
    stopping.set()
    async with asyncio.timeout(5):
        await task
    assert events(api_server) == 3, "counted on the same Event: refused as new, then patched"


async def test_an_api_server_that_says_nothing_does_not_hold_up_the_end(tmp_path: Path, clock: Any) -> None:
    asked = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.set()
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    config = tmp_path / "silent"
    config.write_text(kubeconfig(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"))
    async with server, connected(config) as client:
        reports, stopping = Reports(client, clock), asyncio.Event()
        task = asyncio.create_task(reports.service(stopping))
        for number in range(5):
            reports.warn("Unfit", str(number))
        await asked.wait()
        stopping.set()
        async with asyncio.timeout(6):
            await task
