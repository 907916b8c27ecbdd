"""The commands of a cluster, where none is needed: what they refuse, what they explain offline, what they load."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from cli.__main__ import main
from support.store import Store, served

POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: web, namespace: demo}\nspec: {containers: [{name: app}]}\n"
KUBECONFIG = """apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "http://127.0.0.1:9"}}]
users: [{name: u, user: {token: t}}]
contexts: [{name: x, context: {cluster: c, user: u}}]
current-context: x
"""
"""Port 9 is `discard`: nobody listens."""
TRACE = ("trace", "--to=10.0.0.5:443")
CLUSTER_COMMANDS = (
    *(["check"], ["install"], ["upgrade"], ["uninstall"], ["status"], ["explain", "web"]),
    [*TRACE, "web"],
)


@pytest.fixture
def kubeconfig(tmp_path: Path) -> str:
    file = tmp_path / "kubeconfig"
    file.write_text(KUBECONFIG, encoding="utf-8")
    return str(file)


def proa(*arguments: str, stdin: str = "") -> Result:
    return CliRunner().invoke(main, arguments, input=stdin)


@pytest.mark.parametrize("command", CLUSTER_COMMANDS)
def test_an_unreachable_api_server_is_named_with_the_remedy(command: list[str], kubeconfig: str) -> None:
    result = proa(*command, "--kubeconfig", kubeconfig)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "http://127.0.0.1:9 cannot be reached" in result.stderr
    assert "→ see that kubectl get --raw /version answers" in result.stderr


@pytest.mark.parametrize("command", CLUSTER_COMMANDS)
def test_a_kubeconfig_that_is_not_there_is_refused(command: list[str]) -> None:
    result = proa(*command, "--kubeconfig", "/no/such/file")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "kubeconfig" in result.stderr


def test_a_context_that_is_not_there_is_refused(kubeconfig: str) -> None:
    result = proa("status", "--kubeconfig", kubeconfig, "--context", "nope")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "nope" in result.stderr


def test_a_configuration_at_fault_is_refused_before_the_cluster_is_asked(kubeconfig: str, tmp_path: Path) -> None:
    config = tmp_path / "mesh.yaml"
    config.write_text("proxy: {concurrency: 0}\nnope: 1\n", encoding="utf-8")
    result = proa("install", "--kubeconfig", kubeconfig, "--set-config", str(config))
    assert (result.exit_code, result.stdout) == (2, "")
    assert "proxy.concurrency" in result.stderr
    assert "nope" in result.stderr


def test_a_check_that_does_not_exist_cannot_be_ignored(kubeconfig: str) -> None:
    result = proa("install", "--kubeconfig", kubeconfig, "--ignore", "everything")
    assert result.exit_code == 2
    assert "--ignore: found 'everything', allowed: kubernetes_too_old," in result.stderr


@pytest.mark.parametrize("arguments", [(), ("web", "-f", "-"), ("web", "--config", "/dev/null")])
def test_either_a_pod_or_a_file_is_explained(arguments: tuple[str, ...]) -> None:
    for command in (("explain",), TRACE):
        assert proa(*command, *arguments, stdin=POD).exit_code == 2


def test_the_rules_that_a_connection_of_a_pod_of_a_file_meets_are_told() -> None:
    shown = proa(*TRACE, "-f", "-", stdin=POD)
    assert shown.exit_code == 0
    assert shown.stdout.startswith("Pod demo/web: the sidecar takes it, at port 15001\nconnection: tcp from ")
    assert "all other connections of the application" in shown.stdout
    (found,) = json.loads(proa("trace", "--from=10.0.0.9", "--port=15021", "-f", "-", "-o", "json", stdin=POD).stdout)
    assert (found["outcome"], found["port"]) == ("direct", None)
    assert found["met"][-1]["why"] == "excluded ports are reached directly"


def test_that_the_default_configuration_is_taken_is_told_with_the_connection() -> None:
    assert "note: Without --config the mesh" in proa(*TRACE, "-f", "-", stdin=POD).stdout
    assert "Without --config" in proa(*TRACE, "-f", "-", "-o", "json", stdin=POD).stdout
    assert "Without --config" not in proa(*TRACE, "-f", "-", "--config", os.devnull, stdin=POD).stdout


def test_a_pod_of_a_cluster_is_read_where_it_is(tmp_path: Path) -> None:
    (carried,) = yaml.safe_load_all(proa("inject", "-f", "-", stdin=POD).stdout)
    store = Store()
    store.put(carried | {"status": {"podIPs": [{"ip": "10.77.0.2"}]}})
    with served(store) as url:
        config = tmp_path / "kubeconfig"
        config.write_text(KUBECONFIG.replace("http://127.0.0.1:9", url), encoding="utf-8")
        (found,) = json.loads(proa(*TRACE, "demo/web", "-o", "json", f"--kubeconfig={config}").stdout)
        missing = proa(*TRACE, "demo/nothing", f"--kubeconfig={config}")
    assert (found["title"], found["outcome"], found["port"]) == ("Pod demo/web", "captured", 15001)
    assert found["connection"].startswith("tcp from 10.77.0.2 to 10.0.0.5:443")
    assert (missing.exit_code, missing.stdout) == (2, "")


@pytest.mark.parametrize(
    "ends",
    [(), ("--from=10.0.0.9",), ("--port=80",), ("--to=10.0.0.9:1", "--port=1"), ("--from=::1", "--port=1", "--uid=0")],
)
def test_a_connection_has_the_ends_of_one_direction(ends: tuple[str, ...]) -> None:
    refused = proa("trace", "-f", "-", *ends, stdin=POD)
    assert refused.exit_code == 2
    assert "either --to ADDRESS:PORT, or --from ADDRESS and --port PORT" in refused.stderr


def test_a_file_is_explained_without_a_cluster() -> None:
    result = proa("explain", "-f", "-", stdin=POD)
    assert result.exit_code == 0
    assert result.stdout.startswith(
        "Pod demo/web: the pod is injected: the namespace's label proa.dev/inject opts in\n"
    )
    assert "namespace.closed.default.webhook.proa.dev" in result.stdout
    assert "add /spec/initContainers" in result.stdout


def test_what_is_not_asked_is_counted_and_warnings_stand_in_front() -> None:
    shown = proa(
        "explain", "-f", "-", stdin=POD.replace("name: web", "name: web, annotations: {proa.dev/x: ''}")
    ).stdout
    assert shown.splitlines()[2].startswith("Warning: the annotation 'proa.dev/x' means nothing")
    assert "istio_label_disabled" not in shown
    assert "not configured" in shown
    assert "7 others" in shown
    assert shown.splitlines()[-1].startswith("Without --config")
    assert "Without --config" not in proa("explain", "-f", "-", "--config", os.devnull, stdin=POD).stdout


def test_an_explanation_for_scripts_has_every_rule_every_entry_and_the_whole_patch() -> None:
    (found,) = json.loads(proa("explain", "-f", "-", "-o", "json", stdin=POD).stdout)
    told = found["explanation"]
    assert told["verdict"] == "injected"
    assert [step["code"] for step in told["steps"] if step["answer"] == "yes"] == ["namespace_enabled"]
    assert [entry["entry"] for entry in told["entries"] if not entry["stopped"]] == [
        "namespace.closed.default.webhook.proa.dev"
    ]
    assert any(edit["path"].startswith("/spec/initContainers") for edit in told["edits"])


def test_what_of_a_pods_traffic_is_not_as_everywhere_is_explained() -> None:
    asked = POD.replace(
        "namespace: demo", "namespace: demo, annotations: {proa.dev/exclude-outbound-ports: '5432', proa.dev/udp: drop}"
    )
    shown = proa("explain", "-f", "-", stdin=asked).stdout
    assert "Interception: exclude-outbound-ports 5432 (ports dialled directly)\n" in shown
    assert "Interception: udp drop (datagrams of the application, but to port 53)\n" in shown
    assert "Interception" not in proa("explain", "-f", "-", stdin=POD).stdout


def test_a_pod_that_is_refused_is_explained_with_status_1() -> None:
    result = proa(
        "explain", "-f", "-", stdin=POD.replace("namespace: demo", "namespace: demo, labels: {proa.dev/inject: maybe}")
    )
    assert result.exit_code == 1
    assert "refused" in result.stdout


def test_a_pipe_gets_no_colour() -> None:
    assert "\x1b" not in proa("explain", "-f", "-", stdin=POD).stdout


@pytest.mark.parametrize(
    "arguments",
    [["version"], ["explain", "-f", "/dev/null"], [*TRACE, "-f", "/dev/null"], ["ca", "inspect", "--help"], ["--help"]],
)
def test_what_asks_no_cluster_does_not_load_its_client(arguments: list[str]) -> None:
    script = (
        "import sys\nfrom cli.__main__ import main\n"
        "try:\n    main(sys.argv[1].split())\n"
        "except SystemExit:\n    print([name for name in ('kubernetes', 'aiohttp') if name in sys.modules])\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script, " ".join(arguments)], check=True, capture_output=True, text=True
    )
    assert ran.stdout.splitlines()[-1] == "[]"
