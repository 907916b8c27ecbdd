"""A node as the agent meets it: its network configuration, a container runtime, the API server, pods' processes."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any, TypeAlias

import aiohttp

from proa.capture.annotation import ANNOTATION
from support.api_server import ApiServer, running_api_server
from support.ports import free_ports
from support.spaces import Namespace, made_namespace

ROOT = Path(__file__).parents[2]
PLUGINS = Path("/usr/lib/cni")
NODE = "node-1"
COMPILED = ("gcc", "-std=c11", "-O2", "-Wall", "-Wextra", "-Werror")
CONTROL_GROUPS = tuple(map(Path, ("/sys/fs/cgroup", "/sys/fs/cgroup/unified", "/sys/fs/cgroup/pids")))
PATIENCE = 60.0
DAEMON_SET = "/apis/apps/v1/namespaces/proa-node/daemonsets/proa-node"
Pod: TypeAlias = dict[str, Any]


def compiled(directory: Path, *flags: str) -> Path:
    """The plugin, made as the image's is but for *flags*."""
    program = directory / "proa-cni"
    subprocess.run([*COMPILED, *flags, "-o", program, ROOT / "cni" / "proa-cni.c"], check=True)
    return program


class Failed(Exception):
    """A plugin's error, as a runtime reads it."""

    def __init__(self, status: int, error: dict[str, Any]) -> None:
        super().__init__(json.dumps(error))
        self.status, self.error = status, error


class Node:
    """*space* is the node's own network namespace."""

    def __init__(self, directory: Path, space: Namespace, api: ApiServer, program: Path) -> None:
        self.directory, self.space, self.api, self.program = directory, space, api, program
        self.configurations, self.programs = directory / "net.d", directory / "bin"
        self.socket, self.health = directory / "run" / "cni.sock", 0
        self.agent: asyncio.subprocess.Process | None = None
        for made in (self.configurations, self.programs):
            made.mkdir()
        (self.programs / "bridge").symlink_to(PLUGINS / "bridge")
        self.write_primary()

    def write_primary(self, name: str = "10-pods.conflist") -> None:
        """As the network's plugin does when it starts."""
        ranges = [[{"subnet": subnet}] for subnet in ("10.88.0.0/16", "fd88::/64")]
        routes = [{"dst": "0.0.0.0/0"}, {"dst": "::/0"}]
        data = str(self.directory / "addresses")
        bridge = {
            "type": "bridge",
            "bridge": "pods",
            "isGateway": True,
            "hairpinMode": True,
            "ipam": {"type": "host-local", "dataDir": data, "ranges": ranges, "routes": routes},
        }
        document = {"cniVersion": "1.0.0", "name": "pods", "plugins": [bridge]}
        (self.configurations / name).write_text(json.dumps(document), encoding="utf-8")

    def configuration(self) -> dict[str, Any]:
        """What a runtime takes."""
        first = min(path for path in self.configurations.iterdir() if path.suffix in {".conflist", ".conf", ".json"})
        return json.loads(first.read_text(encoding="utf-8"))

    def chained(self) -> list[str]:
        return [plugin["type"] for plugin in self.configuration()["plugins"]]

    async def put(self, name: str, namespace: str = "shop", annotation: str | None = "{}", **status: Any) -> Pod:
        """A pod of this node in the API server."""
        uid = f"{abs(hash((namespace, name))) % 16**8:08x}-0000-4000-8000-000000000000"
        metadata = {"uid": uid, "annotations": {} if annotation is None else {ANNOTATION: annotation}}
        path = f"/api/v1/namespaces/{namespace}/pods/{name}"
        return await self.api.put(path, metadata=metadata, spec={"nodeName": NODE}, status=status)

    async def start(self, **variables: str) -> None:
        """The agent, which its DaemonSet makes, until it is ready."""
        await self.api.put(DAEMON_SET)
        (self.health,) = free_ports(1)
        self.agent = await self._process(**variables)
        await self.awaited(self.is_ready)

    async def removed(self) -> None:
        """What `proa-node remove` does."""
        assert await (await self._process("remove")).wait() == 0

    async def _process(self, *arguments: str, **variables: str) -> asyncio.subprocess.Process:
        environment = {
            "KUBECONFIG": str(self.api.kubeconfig(self.directory)),
            "NODE_NAME": NODE,
            "CNI_CONF_DIR": str(self.configurations),
            "CNI_BIN_DIR": str(self.programs),
            "SOCKET": str(self.socket),
            "PLUGIN": str(self.program),
            "HEALTH_PORT": str(self.health),
        }
        command = (sys.executable, "-m", "node", *arguments)
        return await asyncio.create_subprocess_exec(*command, env=os.environ | environment | variables)

    async def stop(self) -> int:
        assert self.agent is not None
        with suppress(ProcessLookupError):
            self.agent.terminate()
        ended, self.agent = await self.agent.wait(), None
        return ended

    async def killed(self) -> None:
        """Without its knowledge, and without the seconds that it stays to say that it is unready."""
        if self.agent is not None:
            with suppress(ProcessLookupError):
                self.agent.kill()
            await self.agent.wait()
            self.agent = None

    async def is_ready(self) -> bool:
        return await self.answers("readyz")

    async def answers(self, path: str) -> bool:
        return (await self.asked(path))[0] == 200

    async def asked(self, path: str) -> tuple[int, str]:
        """Status and body from the port for health and metrics; 0 if nobody listens."""
        try:
            async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{self.health}/{path}") as got:
                return got.status, await got.text()
        except aiohttp.ClientError:
            return 0, ""

    async def awaited(self, condition: Any) -> None:
        """Until *condition* holds."""
        async with asyncio.timeout(PATIENCE):
            while not await condition():  # noqa: ASYNC110 - of another process
                await asyncio.sleep(0.02)

    async def runtime(self, command: str, pod: Pod, space: Namespace, former: Any = None) -> Any:
        """What a container runtime does with its first configuration; the result of the last plugin. Raises Failed."""
        found = self.configuration()
        plugins = found["plugins"] if command != "DEL" else found["plugins"][::-1]
        for plugin in plugins:
            given = plugin | {name: found[name] for name in ("cniVersion", "name")}
            if former is not None:
                given["prevResult"] = former
            answer = await self.plugin(command, given, pod, space)
            former = answer if command == "ADD" else former
        return former

    async def plugin(self, command: str, given: Any, pod: Pod, space: Namespace, **changed: str) -> Any:
        """One plugin's answer. Raises Failed."""
        directory = self.programs if given["type"] == "proa-cni" else PLUGINS
        run = await asyncio.create_subprocess_exec(
            *("ip", "netns", "exec", self.space.name, str(directory / given["type"])),
            env=self.variables(command, pod, space) | changed,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        printed, _ = await run.communicate(json.dumps(given).encode())
        if run.returncode:
            raise Failed(run.returncode, json.loads(printed))
        return json.loads(printed) if printed.strip() else None

    def variables(self, command: str, pod: Pod, space: Namespace) -> dict[str, str]:
        """What a runtime tells a plugin beside the configuration."""
        metadata = pod["metadata"]
        names = {"NAMESPACE": metadata["namespace"], "NAME": metadata["name"], "UID": metadata["uid"]}
        arguments = ["IgnoreUnknown=1", *(f"K8S_POD_{name}={value}" for name, value in names.items())]
        return {
            "CNI_COMMAND": command,
            "CNI_CONTAINERID": space.name,
            "CNI_NETNS": f"/run/netns/{space.name}",
            "CNI_IFNAME": "eth0",
            "CNI_ARGS": ";".join(arguments),
            "CNI_PATH": f"{PLUGINS}:{self.programs}",
            "PATH": os.environ["PATH"],
        }


def children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@asynccontextmanager
async def made_node(program: Path) -> AsyncGenerator[Node]:
    with tempfile.TemporaryDirectory(prefix="proa-node-") as directory, made_namespace() as space:
        async with running_api_server(page=500) as api:
            node = Node(Path(directory), space, api, program)
            try:
                yield node
            finally:
                await node.killed()


@contextmanager
def control_group(uid: str) -> Generator[Path]:
    """A pod's, as the kubelet makes it: the file that takes processes in. What is in it ends when it is left."""
    group = next(path for path in CONTROL_GROUPS if (path / "cgroup.procs").exists())
    parent = group / f"proa-test-{os.getpid()}"
    place = parent / f"pod{uid}"
    place.mkdir(parents=True)
    try:
        yield place / "cgroup.procs"
    finally:
        _emptied(place)
        with suppress(OSError):  # another pod's may be in it
            parent.rmdir()


def _emptied(place: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while place.exists():
        for pid in map(int, (place / "cgroup.procs").read_text().split()):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        try:
            place.rmdir()
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.01)  # the kernel tells nobody when the last one has left


@contextmanager
def sandbox(uid: str, space: Namespace) -> Generator[subprocess.Popen[bytes]]:
    """A process in the pod's network namespace and in control groups as the kubelet makes them."""
    command = ["ip", "netns", "exec", space.name, "sleep", "600"]
    with control_group(uid) as group, subprocess.Popen(command) as process:
        try:
            group.write_text(str(process.pid))
            _moved(process.pid, space)
            yield process
        finally:
            process.kill()
            process.wait()


def _moved(pid: int, space: Namespace) -> None:
    deadline = time.monotonic() + PATIENCE
    while not Path(f"/proc/{pid}/ns/net").samefile(f"/run/netns/{space.name}"):
        assert time.monotonic() < deadline
        time.sleep(0.001)  # `ip` goes there by itself
