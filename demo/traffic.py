"""Requests from inside a container, and what the sidecars recorded of them. Shell."""

import asyncio
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from demo.kubelet import RunningPod
from demo.proof import Journey, Request, journey, requests
from proa import names
from proa.errors import ProaError

_LOG_PATIENCE: Final = 10.0
_PAUSE: Final = 0.05
_PROGRAM: Final = """
import http.client, json, sys, time

def shown(address):
    host, port = address[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

host, port, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
deadline = time.monotonic() + seconds
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
    if time.monotonic() >= deadline:
        break
    time.sleep(0.02)
"""
"""Asks for `/` by a new connection each time, once at least and then for the seconds given; it knows no proxy."""


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


async def asked(client: RunningPod, address: str, port: int, seconds: float = 0) -> tuple[Request, ...]:
    """Requests from the client's own container to *address*, one or as many as fit into *seconds*."""
    argv = ["python3", "-c", _PROGRAM, address, str(port), str(seconds)]
    command = client.command(client.pod.spec.containers[0].name, argv)
    done = await asyncio.to_thread(subprocess.run, command.argv, env=command.env, capture_output=True, text=True)
    if done.returncode != 0:
        raise ProgramFailed(done.returncode, done.stderr)
    return requests(done.stdout)


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
