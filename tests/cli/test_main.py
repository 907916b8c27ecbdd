import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cli.__main__ import main

POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: web, namespace: demo}\nspec: {containers: [{name: app}]}\n"
DEPLOYMENT = """# A workload.
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: demo}
spec: {template: {spec: {containers: [{name: app}]}}}
"""


def proa(*arguments: str, stdin: str | bytes = "") -> Result:
    return CliRunner().invoke(main, arguments, input=stdin)


@pytest.mark.parametrize(
    ("arguments", "printed"),
    [
        (("version",), f"proa {version('proa')}\n"),
        (("version", "-o", "json"), json.dumps({"version": version("proa")}) + "\n"),
    ],
)
def test_the_version_is_printed(arguments: tuple[str, ...], printed: str) -> None:
    assert proa(*arguments).stdout == printed


def test_the_help_lists_every_command() -> None:
    listed = proa("--help").stdout
    assert "inject" in listed
    assert "version" in listed


@pytest.mark.parametrize(
    "arguments",
    [
        ("--nope",),
        ("nope",),
        ("inject",),
        ("inject", "--nope"),
        ("inject", "-f", "/no/such/file"),
        ("version", "-o", "xml"),
    ],
)
def test_what_it_does_not_know_ends_with_status_2_and_nothing_written(arguments: tuple[str, ...]) -> None:
    result = proa(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Error" in result.stderr


def test_what_kubectl_would_warn_of_is_printed_beside_it() -> None:
    asking = POD.replace("namespace: demo", "namespace: demo, annotations: {proa.dev/log-levle: debug}")
    result = proa("inject", "-f", "-", stdin=f"{asking}---\n{DEPLOYMENT}")
    first, warning, second = result.stderr.splitlines()
    assert first == "Pod demo/web: injected (namespace_enabled)"
    assert warning.startswith("  Warning: the annotation 'proa.dev/log-levle' means nothing")
    assert second == "Deployment demo/web: injected (namespace_enabled)"
    assert "Warning" not in result.stdout


def test_a_workload_is_injected_and_the_reason_printed_beside_it() -> None:
    result = proa("inject", "-f", "-", stdin=DEPLOYMENT)
    assert result.exit_code == 0
    assert "proa-proxy" in result.stdout
    assert "# A workload" not in result.stdout
    assert result.stderr == "Deployment demo/web: injected (namespace_enabled)\n"


def test_a_pod_that_is_left_is_explained() -> None:
    result = proa("inject", "-f", "-", stdin=POD.replace("spec: {", "spec: {hostNetwork: true, "))
    assert result.stdout == POD.replace("spec: {", "spec: {hostNetwork: true, ")
    assert result.stderr.startswith("Pod demo/web: left as it is (host_network): the pod uses the node's network")


def test_documents_of_json_can_be_asked_for(tmp_path: Path) -> None:
    manifest = tmp_path / "pod.yaml"
    manifest.write_text(POD, encoding="utf-8")
    result = proa("inject", "-f", str(manifest), "-o", "json")
    names = [container["name"] for container in json.loads(result.stdout)["spec"]["initContainers"]]
    assert names == ["proa-init", "proa-proxy"]


def test_the_mesh_configuration_is_obeyed(tmp_path: Path) -> None:
    config = tmp_path / "mesh.yaml"
    config.write_text("proxy: {image: 'mirror/envoy:v1'}", encoding="utf-8")
    assert "mirror/envoy:v1" in proa("inject", "-f", "-", "--config", str(config), stdin=POD).stdout


def test_a_configuration_at_fault_is_refused_with_every_field(tmp_path: Path) -> None:
    config = tmp_path / "mesh.yaml"
    config.write_text("proxy: {concurrency: 0}\nnope: 1\n", encoding="utf-8")
    result = proa("inject", "-f", "-", "--config", str(config), stdin=POD)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "proxy.concurrency" in result.stderr
    assert "nope" in result.stderr


def test_one_document_at_fault_keeps_every_document_back() -> None:
    result = proa("inject", "-f", "-", stdin=f"{POD}---\n{POD.replace('name: app', 'name: proa-init')}")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Pod demo/web: spec.containers: found nothing" in result.stderr
    assert "injected" not in result.stderr


@pytest.mark.parametrize("stdin", [b"\xff\xfe\xfa", b"a: [", b"{" * 100_000])
def test_what_is_not_yaml_is_refused(stdin: bytes) -> None:
    result = proa("inject", "-f", "-", stdin=stdin)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "the stream: found" in result.stderr


def test_a_number_that_json_lacks_is_refused_in_json_only() -> None:
    assert proa("inject", "-f", "-", stdin="a: .nan\n").stdout == "a: .nan\n"
    assert proa("inject", "-f", "-", "-o", "json", stdin="a: .nan\n").exit_code == 2


@pytest.mark.parametrize(
    ("arguments", "spared"),
    [
        (["version"], ["aiohttp", "asyncio", "msgspec", "yaml", "cryptography", "rich"]),
        (
            ["inject", "-f", "/dev/null"],
            ["aiohttp", "asyncio", "structlog", "prometheus_client", "cryptography", "rich"],
        ),
    ],
)
def test_a_command_loads_only_what_it_needs(arguments: list[str], spared: list[str]) -> None:
    script = (
        "import sys; from cli.__main__ import main; main(sys.argv[1].split(), standalone_mode=False); "
        "print([name for name in sys.argv[2].split() if name in sys.modules])"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script, " ".join(arguments), " ".join(spared)],
        check=True,
        capture_output=True,
        text=True,
    )
    assert ran.stdout.splitlines()[-1] == "[]"


def test_it_runs_as_a_module_with_its_exit_status() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "cli", "inject", "-f", "-"], check=False, input="a: [", capture_output=True, text=True
    )
    assert (ran.returncode, ran.stdout) == (2, "")
