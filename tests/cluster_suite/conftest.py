"""One cluster for a run: the user's, the one that is up, or one that is started here and taken down again.

The workers of a run (`-n`) share it with the one installation. A test that is marked `beside_others` keeps to what is
its own and runs beside those of other files; if it is marked with a name, beside none of that name. Every other waits
until it is alone on the cluster. Tests that need none may be part of the run (`make test`): they come last, and fill
what the workers have left.
"""

import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from launcher import node
from launcher.layout import COMMANDS, KUBECONFIG
from launcher.progress import alone
from support import certmanager, open_doors
from support.kubectl import OF_A_TEST, Kubectl
from support.mesh import IN_MESH, Mesh
from support.turns import Files, Worker, turn
from support.versions import another_version, load_image

LAUNCHER = Path(__file__).parents[1] / "cluster"
SECONDS = 420
"""For one test's own steps. Fixtures are not counted: the first may build Kubernetes."""
SHARED = pytest.StashKey[tuple[Kubectl, Path]]()
"""What the workers have in common: the cluster, and the directory by which they take turns."""
WORKER = pytest.StashKey[Worker]()
ENDING = pytest.StashKey[ExitStack]()
FAILED = pytest.StashKey[bool]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[ENDING] = ExitStack()
    if given := getattr(config, "workerinput", None):
        program, kubeconfig, turns = given["cluster"]
        config.stash[SHARED] = Kubectl(program, Path(kubeconfig)), Path(turns)
        config.stash[WORKER] = Worker(Path(turns))


def pytest_xdist_setupnodes(config: pytest.Config) -> None:
    """In the process that leads the workers: what they share is there before the first of them begins."""
    ending = config.stash[ENDING]
    turns = Path(ending.enter_context(tempfile.TemporaryDirectory(prefix="proa-turns-")))
    kubectl = ending.enter_context(_cluster(config))
    if Path(__file__).parent in {Path(each).resolve() for each in config.args} and not _given():
        ending.enter_context(_another_image())
    ending.enter_context(_installed(kubectl))
    config.stash[SHARED] = kubectl, turns


def pytest_configure_node(node: Any) -> None:
    kubectl, turns = node.config.stash[SHARED]
    node.workerinput["cluster"] = kubectl.program, str(kubectl.kubeconfig), str(turns)


def pytest_unconfigure(config: pytest.Config) -> None:
    config.stash[ENDING].close()


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Files:
    return Files(config, log, config.stash[SHARED][1])


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("cluster")
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(SECONDS, func_only=True))
    mixed = {item.path for item in items if turn(item).alone} & {item.path for item in items if not turn(item).alone}
    if mixed:
        # What a file's fixtures made would still be there while other tests are alone.
        raise pytest.UsageError(f"beside others or alone, not both: {', '.join(path.name for path in mixed)}")
    # Of each kind the file that may take longest begins. Stable: the order is a random one otherwise.
    longest = dict[Path, float]()
    for item in items:
        longest[item.path] = max(longest.get(item.path, 0), _limit(item))
    items.sort(key=lambda item: (turn(item).place, -longest[item.path]))
    if worker := config.stash.get(WORKER, None):
        worker.tell(items)


def _limit(item: pytest.Item) -> float:
    """Seconds that the test may take."""
    marker = item.get_closest_marker("timeout")
    return float(marker.args[0]) if marker and marker.args else 0


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None, object, object]:
    """A turn lasts until the last of its tests is torn down, and with it what the file's fixtures made."""
    worker = item.config.stash.get(WORKER, None)
    if worker is None:
        return (yield)
    worker.begin(turn(item))
    try:
        return (yield)
    finally:
        if nextitem is None or turn(nextitem) != turn(item):
            worker.end()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    item.stash[FAILED] = item.stash.get(FAILED, False) or report.failed
    return report


@pytest.fixture(scope="session")
def kubectl(request: pytest.FixtureRequest) -> Iterator[Kubectl]:
    """Of the run's cluster, which has the images of what is tested (README, "Test it")."""
    if shared := request.config.stash.get(SHARED, None):
        yield shared[0]
        return
    with _cluster(request.config) as kubectl:
        yield kubectl


@contextmanager
def _cluster(config: pytest.Config) -> Iterator[Kubectl]:
    if _given():
        yield Kubectl(shutil.which("kubectl") or "", Path(os.environ["KUBECONFIG"]))
        return
    # Two runs on one cluster would take each other's installation away.
    with alone("suite.lock"):
        ours = node.first_process() is None
        if ours:
            _tell(config, "up.py")
        try:
            _tell(config, "load.py")
            yield Kubectl(str(COMMANDS / "kubectl"), KUBECONFIG)
        finally:
            if ours:
                _tell(config, "down.py")


def _given() -> bool:
    """Whether the cluster is the user's."""
    return os.environ.get("PROA_TEST_CLUSTER") == "1"


@contextmanager
def _another_image() -> Iterator[None]:
    """Another version's is made meanwhile: who waits for it is alone on the cluster (test_upgrade_between_versions)."""
    making = load_image(another_version())
    try:
        yield
    finally:
        making.terminate()
        making.communicate()


def _tell(config: pytest.Config, command: str) -> None:
    """Run a command of the launcher. Its lines are shown while it works: a build is long."""
    capture = config.pluginmanager.getplugin("capturemanager")
    assert capture is not None
    with capture.global_and_fixture_disabled():
        sys.stdout.write("\n")
        subprocess.run([sys.executable, LAUNCHER / command], check=True)


@pytest.fixture
def namespace(kubectl: Kubectl, request: pytest.FixtureRequest) -> Iterator[Kubectl]:
    """kubectl in a namespace of the test's own."""
    yield from _own_namespace(kubectl, request.node, {})


@pytest.fixture(scope="session")
def mesh(kubectl: Kubectl, request: pytest.FixtureRequest) -> Iterator[Mesh]:
    """Proa with doors of its authority open; taken away at the end unless it was there before."""
    if SHARED in request.config.stash:
        yield Mesh(kubectl)
        return
    with _installed(kubectl) as mesh:
        yield mesh


@contextmanager
def _installed(kubectl: Kubectl) -> Iterator[Mesh]:
    mesh = Mesh(kubectl)
    ours = not mesh.installed
    mesh.install(authority=open_doors.DOORS)
    if not ours:
        mesh.restart()
    try:
        yield mesh
    finally:
        if ours:
            mesh.uninstall()
        else:
            mesh.install()
            mesh.system("delete", "--ignore-not-found", *open_doors.OURS)


@pytest.fixture
def injected(mesh: Mesh, request: pytest.FixtureRequest) -> Iterator[Kubectl]:
    """kubectl in a namespace of the test's own, which is in the mesh."""
    yield from _own_namespace(mesh.kubectl, request.node, IN_MESH)


def _own_namespace(kubectl: Kubectl, item: pytest.Item, labels: dict[str, str]) -> Iterator[Kubectl]:
    named = {**labels, OF_A_TEST: _label(item.name)}
    with kubectl.new_namespace(f"test-{secrets.token_hex(4)}", named) as inside:
        yield inside
        if item.stash[FAILED]:
            sys.stdout.write(inside.autopsy())


@pytest.fixture(scope="module")
def cert_manager(kubectl: Kubectl, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Its own controllers, on the cluster's API server."""
    with certmanager.running(kubectl, tmp_path_factory.mktemp("certmanager") / "log"):
        yield


def _label(name: str) -> str:
    """*name* as the value of a label: who made a namespace that was left behind."""
    return "".join(c if c.isalnum() else "-" for c in name)[:63].strip("-")
