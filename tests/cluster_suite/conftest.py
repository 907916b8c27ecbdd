"""One cluster for a run: the user's, the one that is up, or one that is started here and taken down again."""

import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from launcher import node
from launcher.layout import COMMANDS, KUBECONFIG
from launcher.progress import alone
from support.kubectl import Kubectl
from support.mesh import IN_MESH, Mesh

LAUNCHER = Path(__file__).parents[1] / "cluster"
SECONDS = 420
"""For one test's own steps. Fixtures are not counted: the first may build Kubernetes."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("cluster")
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(SECONDS, func_only=True))


@pytest.fixture(scope="session")
def kubectl(request: pytest.FixtureRequest) -> Iterator[Kubectl]:
    """Of the run's cluster, which has the images of what is tested (README, "Test it")."""
    if os.environ.get("PROA_TEST_CLUSTER") == "1":
        yield Kubectl(shutil.which("kubectl") or "", Path(os.environ["KUBECONFIG"]))
        return
    # Two runs on one cluster would take each other's installation away.
    with alone("suite.lock"):
        ours = node.first_process() is None
        if ours:
            _tell(request, "up.py")
        try:
            _tell(request, "load.py")
            yield Kubectl(str(COMMANDS / "kubectl"), KUBECONFIG)
        finally:
            if ours:
                _tell(request, "down.py")


def _tell(request: pytest.FixtureRequest, command: str) -> None:
    """Run a command of the launcher. Its lines are shown while it works: a build is long."""
    capture = request.config.pluginmanager.getplugin("capturemanager")
    assert capture is not None
    with capture.global_and_fixture_disabled():
        sys.stdout.write("\n")
        subprocess.run([sys.executable, LAUNCHER / command], check=True)


@pytest.fixture
def namespace(kubectl: Kubectl, request: pytest.FixtureRequest) -> Iterator[Kubectl]:
    """kubectl in a namespace of the test's own."""
    with kubectl.new_namespace(f"test-{secrets.token_hex(4)}", {"proa.dev/test": _label(request.node.name)}) as inside:
        yield inside


@pytest.fixture(scope="session")
def mesh(kubectl: Kubectl) -> Iterator[Mesh]:
    """Proa, installed from the manifests; taken away at the end unless it was there before."""
    mesh = Mesh(kubectl)
    ours = not mesh.installed
    mesh.install()
    if not ours:
        mesh.restart()
    try:
        yield mesh
    finally:
        if ours:
            mesh.uninstall()


@pytest.fixture
def injected(mesh: Mesh, request: pytest.FixtureRequest) -> Iterator[Kubectl]:
    """kubectl in a namespace of the test's own, which is in the mesh."""
    labels = {**IN_MESH, "proa.dev/test": _label(request.node.name)}
    with mesh.kubectl.new_namespace(f"test-{secrets.token_hex(4)}", labels) as inside:
        yield inside


def _label(name: str) -> str:
    """*name* as the value of a label: who made a namespace that was left behind."""
    return "".join(c if c.isalnum() else "-" for c in name)[:63].strip("-")
