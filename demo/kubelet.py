"""What the kubelet does to run a pod, on this machine: network, volumes, containers in order, probes. Shell."""

import asyncio
import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final, TypeAlias, assert_never

from demo import runtime, volumes
from demo.network import PodNetwork, create_pod
from demo.plan import App, Bind, Process, Sandbox, Sidecar, ToCompletion, process, steps
from demo.pod import Container, Pod, Probe, Volume, parsed_pod, port_number
from demo.probe import Target, answered
from proa.errors import ProaError

Started: TypeAlias = "subprocess.Popen[bytes]"

_PATIENCE: Final = 30.0
_LAST_LINES: Final = 10


@dataclass(eq=False)
class ContainerFailed(ProaError):
    """A container that had to succeed did not; *log* is the end of what it said."""

    code: ClassVar[str] = "container_failed"
    pod: str
    container: str
    outcome: str
    log: str

    def __str__(self) -> str:
        return f"container {self.container} of pod {self.pod}: {self.outcome}\n{self.log}"


@dataclass(frozen=True, slots=True)
class RunningPod:
    """A pod whose containers all run. Processes are by the name of their container."""

    pod: Pod
    network: PodNetwork
    directory: Path
    processes: dict[str, Process]

    def log(self, container: str) -> str:
        return (self.directory / container / runtime.LOG_FILE).read_text(encoding="utf-8", errors="replace")

    def command(self, container: str, argv: Sequence[str]) -> runtime.Command:
        """The command for *argv* inside *container*."""
        return runtime.command_in(self.directory / container, argv)


class Kubelet:
    """Runs pods below *directory*, one after the other, each with the next address."""

    def __init__(self, directory: Path, image: tuple[Bind, ...], sources: volumes.Sources) -> None:
        self._directory, self._image, self._sources = directory, image, sources
        self._started = 0

    async def run(self, document: dict[str, Any], name: str) -> RunningPod:
        """Start the pod *document*, known here as *name*, and wait until it is ready. Raises ProaError."""
        pod, directory = parsed_pod(document), self._directory / name
        directory.mkdir(parents=True)
        (directory / "pod.json").write_text(json.dumps(document, indent=2), encoding="utf-8")
        network = await asyncio.to_thread(create_pod, name, self._started)
        self._started += 1
        paths = volumes.prepare(pod, network.addresses, directory / "volumes", self._sources)
        everywhere = self._image + _name_files(directory, pod, network)
        sandbox = Sandbox(pod, network.addresses, paths, everywhere)
        processes = {container.name: process(container, sandbox) for container in pod.containers}
        running = RunningPod(pod, network, directory, processes)
        await self._start(running)
        return running

    def renew(self, running: RunningPod, volume: Volume) -> None:
        """Project *volume* of a running pod again, with a fresh certificate, as the kubelet does before one expires."""
        volumes.project(running.pod, volume, running.directory / "volumes" / volume.name, self._sources)

    async def _start(self, running: RunningPod) -> None:
        started: dict[str, Started] = {}
        for step in steps(running.pod):
            container = step.container
            started[container.name] = _started(running, container)
            match step:
                case ToCompletion():
                    await _completed(running, container, started[container.name])
                case Sidecar():
                    probe = step.started
                    limit = float(probe.period_seconds * probe.failure_threshold)
                    await _probed(running, container, probe, started[container.name], limit)
                case App():
                    await _begun(running, container, started[container.name])
                case _:
                    assert_never(step)
        for container in running.pod.containers:
            if container.readiness_probe is not None:
                await _probed(running, container, container.readiness_probe, started[container.name], _PATIENCE)


def _name_files(directory: Path, pod: Pod, network: PodNetwork) -> tuple[Bind, ...]:
    """The files about names that the kubelet gives every container. There is no DNS here: an answer comes at once."""
    lines = ["127.0.0.1 localhost", "::1 localhost", *(f"{one} {pod.metadata.name}" for one in network.addresses)]
    contents = {"hosts": "\n".join(lines) + "\n", "resolv.conf": "nameserver 127.0.0.1\n"}
    for name, content in contents.items():
        (directory / name).write_text(content, encoding="ascii")
    return tuple(Bind(directory / name, f"/etc/{name}", read_only=True) for name in contents)


def _started(running: RunningPod, container: Container) -> Started:
    directory = running.directory / container.name
    return runtime.start(running.processes[container.name], running.network.namespace, directory)


async def _begun(running: RunningPod, container: Container, started: Started) -> None:
    """Wait until commands can be run in *container*. Whether it works, its probes say."""
    try:
        async with asyncio.timeout(_PATIENCE):
            # Nothing tells when another process calls exec.
            while not runtime.begun(running.directory / container.name) and started.poll() is None:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    except TimeoutError as error:
        raise _failure(running, container, f"it did not begin within {_PATIENCE:.0f} s") from error


async def _completed(running: RunningPod, container: Container, started: Started) -> None:
    status = await asyncio.to_thread(started.wait, _PATIENCE)
    if status != 0:
        raise _failure(running, container, f"it ended with {status}")


async def _probed(running: RunningPod, container: Container, probe: Probe, started: Started, within: float) -> None:
    """Wait for *probe*. A kubelet gives up a container that has not started in its period times the failures it allows,
    and none that is not ready.
    """
    port = port_number(probe.http_get.port, container)
    target = Target(running.network.addresses[0], port, probe.http_get.path, started.poll)
    try:
        await answered(target, within)
    except ProaError as error:
        raise _failure(running, container, str(error)) from error


def _failure(running: RunningPod, container: Container, outcome: str) -> ContainerFailed:
    log = "\n".join(running.log(container.name).splitlines()[-_LAST_LINES:])
    return ContainerFailed(running.pod.metadata.name, container.name, outcome, log)
