"""Requests from inside a container, and what the sidecars recorded of them. Shell."""

import asyncio
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO, ClassVar, Final, Self, cast

from demo.kubelet import RunningPod
from demo.proof import Journey, Request, journey, requests
from proa import names
from proa.errors import ProaError

_LOG_PATIENCE: Final = 30.0
_PAUSE: Final = 0.05
_PROGRAM: Final = """
import http.client, json, select, sys

def shown(address):
    host, port = address[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

host, port = sys.argv[1], int(sys.argv[2])
while True:
    connection = http.client.HTTPConnection(host, port, timeout=5)
    told = dict(dialled="", source="", body="", failure="")
    try:
        connection.connect()
        told.update(dialled=shown(connection.sock.getpeername()), source=shown(connection.sock.getsockname()))
        connection.request("GET", "/")
        answer = connection.getresponse()
        told.update(body=answer.read().decode(), failure="" if answer.status == 200 else str(answer.status))
    except (OSError, http.client.HTTPException) as error:
        told.update(failure=repr(error))
    finally:
        connection.close()
    print(json.dumps(told), flush=True)
    if select.select([sys.stdin], [], [], 0.02)[0]:
        break
"""
"""Asks for `/` by a new connection each time, once at least and then until its input ends; it knows no proxy."""


@dataclass(eq=False)
class NotRecorded(ProaError):
    """Requests that are missing from a sidecar's access log."""

    code: ClassVar[str] = "not_recorded"
    missing: int
    made: int

    def __str__(self) -> str:
        return f"{self.missing} of {self.made} requests are not in the access logs of both sidecars"


@dataclass(eq=False)
class ProgramFailed(ProaError):
    """The program that makes the requests did not end well; *errors* is what it said."""

    code: ClassVar[str] = "program_failed"
    status: int
    errors: str

    def __str__(self) -> str:
        return f"the client's requests ended with {self.status}:\n{self.errors}"


async def asked(client: RunningPod, address: str, port: int) -> tuple[Request, ...]:
    """One request from the client's own container to *address*."""
    with Load(client, address, port) as load:
        await load.end()
    return tuple(load.made)


class Load:
    """Requests from the client's own container to *address*, one after the other. *made* are those it has told of."""

    def __init__(self, client: RunningPod, address: str, port: int) -> None:
        argv = ["python3", "-c", _PROGRAM, address, str(port)]
        self._command = client.command(client.pod.spec.containers[0].name, argv)
        self.made = list[Request]()

    def __enter__(self) -> Self:
        argv, env = self._command.argv, self._command.env
        self._process = subprocess.Popen(  # noqa: S603 - made here
            argv, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        streams = (self._process.stdin, self._process.stdout, self._process.stderr)
        self._input, self._output, self._errors = (cast("IO[str]", each) for each in streams)
        return self

    def __exit__(self, *_: object) -> None:
        with self._process:
            self._input.close()

    async def more(self, count: int) -> None:
        """Wait for *count* more of them. Raises ProgramFailed."""
        for _ in range(count):
            line = await asyncio.to_thread(self._output.readline)
            if not line:
                return await self.end()
            self.made.extend(requests(line))
        return None

    async def end(self) -> None:
        """With the one under way, once one was made. Raises ProgramFailed."""
        self._input.close()
        self.made.extend(requests(await asyncio.to_thread(self._output.read)))
        errors = await asyncio.to_thread(self._errors.read)
        if status := await asyncio.to_thread(self._process.wait):
            raise ProgramFailed(status, errors)


async def journeys(made: Sequence[Request], client: RunningPod, server: RunningPod) -> tuple[Journey, ...]:
    """What both sidecars logged of the requests *made*. Raises NotRecorded if it is not there after some seconds."""
    deadline = time.monotonic() + _LOG_PATIENCE
    while True:
        logs = client.log(names.PROXY_CONTAINER), server.log(names.PROXY_CONTAINER)
        found = [journey(request, *logs) for request in made]
        complete = tuple(one for one in found if one is not None)
        if len(complete) == len(made):
            return complete
        if time.monotonic() > deadline:
            raise NotRecorded(len(made) - len(complete), len(made))
        await asyncio.sleep(_PAUSE)
