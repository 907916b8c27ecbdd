"""Good callers of Istio's protocol beside 10,000 bad tokens a second: how late their answers are, with and without.

500 good calls a second, over eight connections. The bad tokens are well made, each another one, and come from other
addresses over as many connections as each may have, by a program in Go (`bad_tokens`): none in Python is fast enough.
`patient` callers wait for their refusals; `impatient` ones give up after some milliseconds, and so are not held up by
the streams that a connection may have. The generator runs on the clients' core, at the lowest priority: how many of
its calls were due, begun and answered stands beside.
"""

import asyncio
import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import uvloop
from istio_load import HOST, PODS, Client, message, paced
from machine import facts

from istio import Door, latencies, running

RATE = 10_000
SECONDS = 15
WARM = 8.0
"""Until the flood has had all its connections, at its priority. What it does to others until then stands apart."""
KINDS = {
    "patient": ("-first=2", "-sources=1"),
    "impatient": ("-first=3", "-sources=1", "-patience=30ms"),
    "patient, of 8 addresses": ("-first=10", "-sources=8"),
    "impatient, of 8 addresses": ("-first=20", "-sources=8", "-patience=30ms"),
    "patient, of 8 addresses, from its first moment": ("-first=30", "-sources=8"),
}


def built(directory: Path) -> Path:
    program = directory / "bad_tokens"
    command = ("go", "build", "-o", str(program), ".")
    subprocess.run(command, cwd=Path(__file__).parent / "bad_tokens", check=True)
    return program


@contextmanager
def flooding(program: Path, door: Door, flags: tuple[str, ...]) -> Iterator[subprocess.Popen[str]]:
    (program.parent / "roots").write_bytes(door.roots)
    (program.parent / "request").write_bytes(message())
    told = (f"-address=127.0.0.1:{door.port}", f"-name={HOST}", f"-rate={RATE}", f"-for={SECONDS}s")
    files = (f"-roots={program.parent / 'roots'}", f"-request={program.parent / 'request'}")
    with subprocess.Popen(("nice", "-n19", program, *told, *files, *flags), stdout=subprocess.PIPE, text=True) as it:
        yield it


async def measured(door: Door, program: Path) -> dict[str, Any]:
    client = Client(door.port, door.roots)
    for number in range(PODS):
        await client.one(number)
    figures: dict[str, Any] = {}
    for kind, flags in KINDS.items():
        # Just before: what else runs on the machine changes from one minute to the next.
        begin, _ = door.spent()
        without = latencies("without", (await paced(client))[0])
        idle = {"server_cpu_seconds_without": round(door.spent()[0] - begin, 2)}
        with flooding(program, door, flags) as flood:
            await asyncio.sleep(0 if "first moment" in kind else WARM)
            before, _ = door.spent()
            found = without | latencies("beside", (await paced(client))[0])
            spent, mib = door.spent()
            said, _ = await asyncio.to_thread(flood.communicate)
        figures[kind] = {
            **found,
            **idle,
            "server_cpu_seconds_beside": round(spent - before, 2),
            "server_mib": round(mib),
        }
        figures[kind] |= {f"bad_{name}_per_second": value for name, value in json.loads(said).items()}
    await client.close()
    return figures


def main() -> None:
    with TemporaryDirectory() as directory:
        program = built(Path(directory))
        with running() as door:
            figures = uvloop.run(measured(door, program))
    print(json.dumps({"benchmark": "flood", **figures, **facts()}))


if __name__ == "__main__":
    main()
