"""Real Envoys by the command lines and files of pods that ask for something: accepted, logging, held for, ended."""

import json
import re
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonpatch
import msgspec
import pytest

from discovery.directory import publish
from discovery.files import subscription_files
from discovery.resources import resources
from proa import names
from proa.containers import AccessLog
from proa.mesh import FileDiscovery, MeshConfiguration, PeerTls
from support.rooms import PATIENCE, Room, awaited
from support.sidecars import envoy_binary, moved
from webhook.decision import Subject
from webhook.injection import injection
from webhook.pod import Pod
from webhook.sidecar import sidecar

VARIABLES = {"POD_NAME": "web", "POD_NAMESPACE": "shop", "SERVICE_ACCOUNT": "web", "POD_IP": "10.88.0.2"}
APP = {"name": "app", "readinessProbe": {"httpGet": {"port": 8080}}, "livenessProbe": {"tcpSocket": {"port": 7000}}}


def proxy_of(settings: dict[str, str], configuration: MeshConfiguration, directory: Path) -> Any:
    """The proxy's container of a pod with *settings*, and its files below *directory*."""
    annotations = {f"proa.dev/{key}": value for key, value in settings.items()}
    pod = {"metadata": {"name": "web", "annotations": annotations}, "spec": {"containers": [APP]}}
    subject = Subject(msgspec.convert(pod, Pod), "shop", {names.INJECT: "enabled"}, configuration)
    patch = msgspec.json.encode(injection(subject, sidecar(configuration), lambda: None).operations)
    injected = jsonpatch.apply_patch(pod, json.loads(patch))
    (directory / "bootstrap").mkdir()
    told = {names.BOOTSTRAP: names.BOOTSTRAP_FILE, names.LEAF: names.LEAF_FILE, names.ROOTS: names.ROOTS_FILE}
    for annotation, file in told.items():
        text = moved(injected["metadata"]["annotations"][annotation], directory)
        (directory / "bootstrap" / file).write_text(text, encoding="utf-8")
    every = injected["spec"]["initContainers"] + injected["spec"]["containers"]
    return next(each for each in every if each["name"] == names.PROXY_CONTAINER)


def command(container: Any, directory: Path) -> list[str]:
    """What the kubelet would start, with the container's variables in it."""

    def expanded(word: str) -> str:
        return re.sub(r"\$(\$|\((\w+)\))", lambda found: VARIABLES[found[2]] if found[2] else "$", word)

    return [str(envoy_binary()), *(moved(expanded(word), directory) for word in container["args"])]


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"sidecar": "regular", "hold": "true"},
        {"concurrency": "1", "drain-time": "1h", "termination-drain": "10s"},
        {"proxy-cpu-limit": "1500m"},
        {"log-level": "trace", "log-format": "json", "access-log": "off"},
        *({"log-level": level} for level in ("debug", "info", "warning", "error", "critical", "off")),
        {"component-log-level": "upstream:debug,config:warn,http2:off"},
        {"rewrite-probes": "false"},
        {"inbound-mode": "tproxy", "dns": "10.96.0.10,fd96::a"},
    ],
)
@pytest.mark.parametrize(
    "configuration",
    [
        MeshConfiguration(),
        MeshConfiguration(peer_tls=PeerTls.STRICT, discovery=FileDiscovery()),
    ],
    ids=["default", "strict with discovery"],
)
def test_envoy_takes_what_any_pod_asks_for(
    settings: dict[str, str], configuration: MeshConfiguration, tmp_path: Path
) -> None:
    publish(tmp_path / "discovery", subscription_files(resources((), AccessLog.OFF)))
    words = command(proxy_of(settings, configuration, tmp_path), tmp_path)
    done = subprocess.run([*words, "--mode", "validate"], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert f"configuration '{tmp_path}/bootstrap/envoy.json' OK" in done.stdout


@pytest.fixture
def room() -> Iterator[Room]:
    made = Room()
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def started(room: Room, tmp_path: Path, authority_of_tests: Any) -> Iterator[Any]:
    """Starts an Envoy in the room; its log is `log` in the test's own directory."""
    running: list[subprocess.Popen[bytes]] = []

    def start(settings: dict[str, str]) -> subprocess.Popen[bytes]:
        publish(tmp_path / "identity", authority_of_tests.files("ns/shop/sa/web"), mode=0o600)
        words = command(proxy_of(settings, MeshConfiguration(), tmp_path), tmp_path)
        with (tmp_path / "log").open("wb") as log:
            running.append(room(subprocess.Popen, words, stdout=log, stderr=log))
        return running[-1]

    yield start
    for process in running:
        process.kill()
        process.wait()


def ready(room: Room) -> bool:
    try:
        return bool(room.answer(names.READY_PORT, names.READY_PATH)[0] == 200)
    except OSError:
        return False


@pytest.mark.netns
def test_envoy_ends_at_once_on_sigterm_whatever_its_drain_time_and_logs_json_to_the_last_line(
    room: Room, started: Any, tmp_path: Path
) -> None:
    envoy = started({"log-format": "json", "log-level": "info", "drain-time": "1h"})
    awaited(lambda: ready(room))
    # Whoever is connected is not waited for.
    with room.connected("127.0.0.1", names.METRICS_PORT):
        envoy.send_signal(signal.SIGTERM)
        assert envoy.wait(PATIENCE) == 0
    lines = [json.loads(line) for line in (tmp_path / "log").read_text(encoding="utf-8").splitlines()]
    assert lines
    assert all(line.keys() == {"level", "time", "component", "message"} for line in lines)
    assert any("SIGTERM" in line["message"] for line in lines)


def waiting(tmp_path: Path, room: Room) -> subprocess.Popen[bytes]:
    """The hook that holds the app, running in the room."""
    container = proxy_of({"sidecar": "regular", "hold": "true"}, MeshConfiguration(), tmp_path)
    hook = container["lifecycle"]["postStart"]["exec"]["command"]
    started: subprocess.Popen[bytes] = room(subprocess.Popen, hook)
    return started


@pytest.mark.netns
def test_the_hook_that_holds_the_app_waits_for_a_real_envoy(room: Room, started: Any, tmp_path: Path) -> None:
    elsewhere = tmp_path / "hook"
    elsewhere.mkdir()
    hook = waiting(elsewhere, room)
    with pytest.raises(subprocess.TimeoutExpired):
        hook.wait(0.5)
    started({})
    assert hook.wait(PATIENCE) == 0
    assert ready(room)


@pytest.mark.netns
def test_the_hook_takes_no_other_answer_for_readiness(room: Room, tmp_path: Path) -> None:
    answers = iter([b"HTTP/1.1 503 Service Unavailable\r\n\r\n", b"", b"garbage\r\n", b"HTTP/1.1 200 OK\r\n\r\n"])
    listening: socket.socket = room(socket.create_server, ("127.0.0.1", names.READY_PORT))
    asked: list[bytes] = []

    def serve() -> None:
        for answer in answers:
            connection, _ = listening.accept()
            with connection:
                asked.append(connection.recv(4096))
                connection.sendall(answer)

    listening.settimeout(PATIENCE)
    with listening:
        server = threading.Thread(target=serve, daemon=True)
        server.start()
        assert waiting(tmp_path, room).wait(PATIENCE) == 0
        server.join(PATIENCE)
    assert len(asked) == 4
    assert all(request.startswith(b"GET /healthz/ready HTTP/1.1\r\n") for request in asked)
