"""The plugin by itself, watched by the compiler's sanitizers: whatever it is told, and whoever answers it."""

import json
import os
import socket
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.cni import TRY_AGAIN_LATER, UNAVAILABLE, UNDECODABLE
from node.wire import answer, question
from support.nodes import compiled

pytestmark = pytest.mark.netns

SANITIZED = ("-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
FAULT = 99
"""What the sanitizers end with."""
ARGS = "IgnoreUnknown=1;K8S_POD_NAMESPACE={};K8S_POD_NAME=web;K8S_POD_UID=u"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
Run = Callable[..., subprocess.CompletedProcess[bytes]]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    program = compiled(tmp_path_factory.mktemp("cni"), *SANITIZED)

    def run(command: str, conf: bytes, namespace: str = "shop", **more: str) -> subprocess.CompletedProcess[bytes]:
        sanitizers = {"ASAN_OPTIONS": f"exitcode={FAULT}:detect_leaks=0", "UBSAN_OPTIONS": f"exitcode={FAULT}"}
        environment = {"CNI_COMMAND": command, "CNI_ARGS": ARGS.format(namespace), **sanitizers, **more}
        done = subprocess.run([program], input=conf, env=environment, capture_output=True, check=False, timeout=60)
        assert done.returncode != FAULT, done.stderr.decode()
        return done

    return run


def conf(former: Any = None, **members: Any) -> bytes:
    rest = {"excludedNamespaces": ["a", "kube-system"], "socket": "/nobody/listens", **members}
    return json.dumps({"cniVersion": "1.0.0", "prevResult": former or {}, **rest}).encode()


def code(done: subprocess.CompletedProcess[bytes]) -> int:
    assert done.returncode == 1
    return int(json.loads(done.stdout)["code"])


@given(st.dictionaries(st.text(), JSON), st.dictionaries(st.text(max_size=3), JSON), st.sampled_from([None, 1]))
def test_the_former_result_is_found_whatever_stands_around_it(run: Run, former: Any, others: Any, indent: Any) -> None:
    members = {**others, "prevResult": former, "excludedNamespaces": [[], "x", "kube-system"]}
    done = run("ADD", json.dumps(members, indent=indent).encode(), "kube-system")
    assert (done.returncode, json.loads(done.stdout)) == (0, former)


@given(st.binary(max_size=60) | st.text('{}[]",:\\ axcludeNmsp', max_size=60).map(str.encode))
def test_nothing_that_is_no_configuration_lets_a_pod_start(run: Run, given_to_it: bytes) -> None:
    assert code(run("ADD", given_to_it)) == TRY_AGAIN_LATER
    assert run("DEL", given_to_it).returncode == 0


@pytest.mark.parametrize("namespace", ["kube", "kube-system2", "ube-system", "", "a\\", '"a"', "b"])
def test_a_namespace_that_only_looks_like_an_excluded_one_is_not(run: Run, namespace: str) -> None:
    assert code(run("ADD", conf(), namespace)) == TRY_AGAIN_LATER


def test_a_namespace_is_taken_from_its_own_argument_alone(run: Run) -> None:
    args = "K8S_POD_NAME=K8S_POD_NAMESPACE=kube-system;XK8S_POD_NAMESPACE=kube-system;K8S_POD_NAMESPACE=shop"
    assert code(run("ADD", conf(), CNI_ARGS=args)) == TRY_AGAIN_LATER


def test_each_command_without_an_agent(run: Run) -> None:
    assert code(run("CHECK", conf())) == TRY_AGAIN_LATER
    assert code(run("STATUS", conf())) == UNAVAILABLE
    assert [run(command, conf()).returncode for command in ("DEL", "GC")] == [0, 0]
    assert json.loads(run("VERSION", b"").stdout)["supportedVersions"] == ["0.3.1", "0.4.0", "1.0.0", "1.1.0"]


def test_what_is_too_long_is_refused(run: Run) -> None:
    assert code(run("ADD", b" " * (2**20 + 1))) == UNDECODABLE
    assert code(run("ADD", conf(), CNI_PATH="x" * 100_000)) == TRY_AGAIN_LATER
    assert code(run("ADD", conf(socket="/" + "x" * 200))) == TRY_AGAIN_LATER


def place_of(name: str) -> str:
    """What is open as, or in the place of, *name*."""
    return str((Path("/proc/self") / name).readlink())


@contextmanager
def agent(reply: bytes) -> Iterator[tuple[str, list[Any]]]:
    """Somebody who answers *reply*; what was sent to it, and the files beside it."""
    heard: list[Any] = []
    with tempfile.TemporaryDirectory(prefix="proa-") as directory, socket.socket(socket.AF_UNIX) as listener:
        path = str(Path(directory) / "cni.sock")
        listener.bind(path)
        listener.listen()
        thread = threading.Thread(target=answer_once, args=(listener, reply, heard))
        thread.start()
        try:
            yield path, heard
        finally:
            thread.join()


def answer_once(listener: socket.socket, reply: bytes, heard: list[Any]) -> None:
    connection, _ = listener.accept()
    with connection:
        received, opened, _, _ = socket.recv_fds(connection, 65_536, 4)
        while more := connection.recv(65_536):
            received += more
        heard.extend((received, [place_of(f"fd/{number}") for number in opened]))
        for number in opened:
            os.close(number)
        connection.sendall(reply)


def test_the_agents_answer_is_printed_and_its_status_returned(run: Run) -> None:
    with agent(answer(7, b'{"code": 7}')) as (path, heard):
        done = run("ADD", conf(socket=path), CNI_NETNS="/proc/self/ns/net", CNI_IFNAME="eth0", OTHER="x")
    assert (done.returncode, done.stdout) == (7, b'{"code": 7}')
    variables, configuration = question(heard[0])
    assert variables == {
        "CNI_COMMAND": "ADD",
        "CNI_ARGS": ARGS.format("shop"),
        "CNI_NETNS": "/proc/self/ns/net",
        "CNI_IFNAME": "eth0",
    }
    assert configuration == conf(socket=path)
    assert heard[1] == [place_of("ns/net")]


@pytest.mark.parametrize("reply", [b"", b"\0", b'\0{"ips": []}', answer(0, b"{}")[:-1]])
def test_an_answer_that_is_not_whole_is_none(run: Run, reply: bytes) -> None:
    with agent(reply) as (path, _):
        assert code(run("ADD", conf(socket=path))) == TRY_AGAIN_LATER


def test_a_pod_whose_namespace_cannot_be_opened_is_asked_about_without_it(run: Run) -> None:
    with agent(answer(0)) as (path, heard):
        assert run("DEL", conf(socket=path), CNI_NETNS="/gone").returncode == 0
    assert heard[1] == []
