"""The node agent told of sandboxes by NRI: by the code that containerd has for it, of both of its kinds."""

import asyncio
import os
import signal
import sys
import time
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest

from launcher import builds
from proa.capture.annotation import ANNOTATION
from support.capturing import assert_captured
from support.nodes import PATIENCE, Node, children, control_group, sandbox
from support.nri import SECONDS, Runtime, running_runtime
from support.nri_messages import RUNTIMES, asked, configuring, frame
from support.spaces import Namespace

pytestmark = [pytest.mark.netns, pytest.mark.go]

KINDS = {"newer": builds.NRI, "older": builds.OLDER_NRI}
"""containerd 2.3 and after it tells of a sandbox by a call of its own, 1.7 to 2.2 as of a change of state."""

NAMING = ("name", "namespace", "uid")
EARLY, UID = "/api/v1/namespaces/shop/pods/early", "00000000-0000-4000-8000-000000000001"
"""A pod that is not bound to this node yet, as far as the watch was told: repair does not know of it."""


@pytest.fixture
def path(node: Node) -> Path:
    return node.directory / "nri" / "nri.sock"


@pytest.fixture(params=KINDS)
async def either(node: Node, path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Runtime]:
    """That the agent is registered with, of either kind."""
    async with registered(KINDS[request.param], node, path) as made:
        yield made


@pytest.fixture
async def runtime(node: Node, path: Path) -> AsyncIterator[Runtime]:
    async with registered(builds.NRI, node, path) as made:
        yield made


@pytest.fixture
async def hasty(node: Node, path: Path) -> AsyncIterator[Runtime]:
    """One that waits for an answer no longer than a test may: at three quarters the agent says that it has none."""
    async with registered(builds.NRI, node, path, 6.0) as made:
        yield made


@asynccontextmanager
async def registered(
    program: builds.Program, node: Node, path: Path, seconds: float = SECONDS
) -> AsyncIterator[Runtime]:
    async with running_runtime(program, path, seconds) as made:
        await node.start(NRI_SOCKET=str(path))
        await made.synchronized()
        yield made


async def test_a_pods_traffic_is_redirected_before_the_runtime_goes_on(
    either: Runtime, node: Node, namespace: Namespace
) -> None:
    pod = await node.api.put(EARLY, metadata={"uid": UID, "annotations": {ANNOTATION: "{}"}}, spec={})
    assert node.chained() == ["bridge"]
    result = await node.runtime("ADD", pod, namespace)
    with sandbox(UID, namespace) as process:
        assert await either.run(pod, process.pid) == ""
        await assert_captured(node.space, namespace, result)
        assert await either.gone(pod) == ""
    _, metrics = await node.asked("metrics")
    for command in ("RunPodSandbox", "StopPodSandbox"):
        assert f'proa_node_requests_total{{command="{command}",outcome="done"}} 1.0' in metrics
    assert not (node.programs / "proa-cni").exists()


async def test_a_refused_annotation_fails_the_sandbox_and_names_what_is_wrong(
    either: Runtime, node: Node, namespace: Namespace
) -> None:
    pod = await node.put("web", annotation=r'{"proxy-uid": "0", "udp": "maybe", "\ud800": "x"}')
    with sandbox(pod["metadata"]["uid"], namespace) as process:
        error = await either.run(pod, process.pid)
    assert all(name in error for name in ("proxy-uid", "udp", r"'\ud800'", "proa.dev/interception"))
    assert namespace.rules() == ""


async def test_a_pod_without_the_annotation_is_let_be(runtime: Runtime, node: Node, namespace: Namespace) -> None:
    pod = await node.put("plain", annotation=None)
    with sandbox(pod["metadata"]["uid"], namespace) as process:
        assert await runtime.run(pod, process.pid) == ""
    assert namespace.rules() == ""


async def test_a_sandbox_that_is_not_the_pods_is_refused(runtime: Runtime, node: Node, namespace: Namespace) -> None:
    pod, other = await node.put("web"), await node.put("other", annotation=None)
    with sandbox(other["metadata"]["uid"], namespace) as process:
        assert "is not in the control group" in await runtime.run(pod, process.pid)
        assert "is not in the control group" in await runtime.run(pod, 0)
        assert "another one by now" in await runtime.run(pod, process.pid, uid=other["metadata"]["uid"])
        assert "whose sandbox" in await runtime.run(pod, process.pid, name="")
    assert namespace.rules() == ""


async def test_the_nodes_own_network_is_never_programmed_by_nri(runtime: Runtime, node: Node) -> None:
    pod = await node.put("web")
    process = await asyncio.create_subprocess_exec("sleep", "600")
    with control_group(pod["metadata"]["uid"]) as group:
        group.write_text(str(process.pid))
        assert "the node's own" in await runtime.run(pod, process.pid)
    await process.wait()


async def test_pods_of_an_excluded_namespace_alone_start_while_the_api_server_is_away(
    runtime: Runtime, node: Node
) -> None:
    system, pod = await node.put("dns", namespace="kube-system"), await node.put("web")
    await node.api.stop()
    assert await runtime.run(system, 0) == ""
    assert "in vain" in await runtime.run(pod, 0, name="new")
    await node.api.start()


async def test_while_the_agent_is_away_a_pod_starts_and_is_repaired_when_it_is_back(
    runtime: Runtime, node: Node, namespace: Namespace
) -> None:
    pod = await node.put("web")
    await node.killed()
    with sandbox(pod["metadata"]["uid"], namespace) as process:
        # What NRI gives: nobody is asked. The pod's proa-init holds it (tests/netns/test_awaiting.py).
        assert await runtime.run(pod, process.pid) == ""
        assert namespace.rules() == ""
        await node.start(NRI_SOCKET=str(runtime.socket))
        await runtime.synchronized()
        await node.awaited(lambda: has_rules(namespace))


async def has_rules(namespace: Namespace) -> bool:
    return "inet proa" in namespace.rules()


async def test_a_sandbox_that_was_made_anew_unseen_is_repaired_once_the_runtime_is_back(
    runtime: Runtime, node: Node, namespace: Namespace
) -> None:
    pod = await node.put("web")
    with sandbox(pod["metadata"]["uid"], namespace) as process:
        assert await runtime.run(pod, process.pid) == ""
        await runtime.stop()
        await node.awaited(lambda: is_unready(node))
        namespace.run("nft", "delete", "table", "inet", "proa", check=True)
        await runtime.start()
        await runtime.synchronized()
        await node.awaited(lambda: has_rules(namespace))
        await node.awaited(node.is_ready)


async def is_unready(node: Node) -> bool:
    return not await node.is_ready()


async def test_an_agent_that_is_too_slow_says_so_before_the_runtime_goes_on_without_it(
    hasty: Runtime, node: Node, namespace: Namespace
) -> None:
    pod = await node.put("web")
    assert node.agent is not None
    with sandbox(pod["metadata"]["uid"], namespace) as process:
        with stopped(node.agent.pid):
            assert "too slow" in await hasty.run(pod, process.pid)
        assert await hasty.run(pod, process.pid) == ""
        assert await has_rules(namespace)


async def test_an_agent_that_ends_answers_what_it_was_asked_before(
    hasty: Runtime, node: Node, namespace: Namespace
) -> None:
    pod = await node.api.put(EARLY, metadata={"uid": UID, "annotations": {ANNOTATION: "{}"}}, spec={})
    assert node.agent is not None
    with sandbox(UID, namespace) as process, stopped(node.agent.pid):
        running = asyncio.create_task(hasty.run(pod, process.pid))
        await node.awaited(lambda: asked_for(node, EARLY))
        node.agent.terminate()
        assert "too slow" in await running


async def asked_for(node: Node, path: str) -> bool:
    return f"GET {path}" in node.api.requests


def stop(pid: int) -> None:
    """And see it stand still, or ended and not waited for: until then it may have a child more."""
    os.kill(pid, signal.SIGSTOP)
    while Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] not in "TZ":
        time.sleep(0.001)


@contextmanager
def stopped(agent: int) -> Iterator[None]:
    """Who does the agent's jobs, and who makes more of these, do nothing meanwhile."""
    (small,) = children(agent)
    held = [small]
    stop(small)
    held += children(small)
    for pid in held[1:]:
        stop(pid)
    try:
        yield
    finally:
        for pid in held[::-1]:
            os.kill(pid, signal.SIGCONT)


async def test_who_tells_of_too_many_sandboxes_at_once_is_refused_some_and_not_hung_up_on(
    node: Node, path: Path, namespace: Namespace
) -> None:
    pod, told, answers = await node.put("web"), asyncio.Event(), asyncio.Queue[bytes]()

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await frame(reader)
        for asking in (configuring(2000), asked("Synchronize")):
            writer.write(asking)
            await frame(reader)
        await told.wait()
        with sandbox(pod["metadata"]["uid"], namespace) as process:
            meant = RUNTIMES["Pod"](pid=process.pid, **{name: pod["metadata"][name] for name in NAMING})
            run = RUNTIMES["Sandbox"](pod=meant)
            writer.write(b"".join(asked("RunPodSandbox", run, 2 * number + 1) for number in range(70)))
            for _ in range(70):
                answers.put_nowait(await frame(reader))
        writer.close()

    path.parent.mkdir()
    async with await asyncio.start_unix_server(speak, path), asyncio.timeout(PATIENCE):
        await node.start(NRI_SOCKET=str(path))
        assert node.agent is not None
        with stopped(node.agent.pid):
            told.set()
            read = [await answers.get() for _ in range(70)]
    assert [sum(words in each for each in read) for words in (b"in hand already", b"too slow")] == [6, 64]


GARBAGE = {
    "a frame that is too long": bytes.fromhex("00000001 ffffffff"),
    "a message that is none": bytes.fromhex("00000001 0000000b 00000001 00000001 0100 ff"),
    "another protocol": b"HTTP/1.1 400 Bad Request\r\n\r\n",
}


@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE)
async def test_what_is_not_nri_ends_the_connection_and_not_the_agent(node: Node, path: Path, garbage: bytes) -> None:
    ended = asyncio.Event()

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(garbage)
        while await reader.read(65536):
            pass
        ended.set()
        writer.close()

    path.parent.mkdir()
    async with await asyncio.start_unix_server(speak, path):
        starting = asyncio.create_task(node.start(NRI_SOCKET=str(path)))
        async with asyncio.timeout(PATIENCE):
            await ended.wait()
    async with running_runtime(builds.NRI, path) as runtime:
        await starting
        await runtime.synchronized()


LISTENER = """
import os, socket, sys
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
os.seteuid(65534)
listener.listen()
print(flush=True)
while True:
    listener.accept()[0].recv(1)
"""


async def test_who_listens_has_to_be_root(node: Node, path: Path) -> None:
    path.parent.mkdir()
    other = await asyncio.create_subprocess_exec(sys.executable, "-c", LISTENER, str(path), stdout=PIPE)
    assert other.stdout is not None
    assert await other.stdout.readline() == b"\n"
    starting = asyncio.create_task(node.start(NRI_SOCKET=str(path)))
    await node.awaited(lambda: says(node, "who listens is not root"))
    starting.cancel()
    other.kill()
    await other.wait()


async def says(node: Node, problem: str) -> bool:
    return problem in (await node.asked("readyz"))[1]
