"""What every test relies on: whether the machine can run it, how hard properties are tried, and real sidecars."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st

from launcher import machine, node
from proa.errors import ProaError
from proa.mesh import MeshConfiguration
from support.echo import Echo
from support.rooms import Room, awaited, made_rooms
from support.sidecars import Authority, envoy_binary, running_sidecar, write_bootstrap

NEEDED = ("ip", "nft", "nsenter", "setpriv", "sysctl", "unshare", "gcc", "/usr/lib/cni/bridge")

# Examples are not timed: a machine that does something else for a moment is no fault of ours.
settings.register_profile("ci", max_examples=200, deadline=None)
settings.register_profile("dev", max_examples=50, deadline=None)
settings.load_profile("ci" if os.environ.get("CI") == "true" else "dev")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """The one place that decides whether a test of the real kernel or a real cluster can run; under CI it must."""
    for marker, lacking in _NEEDS.items():
        if item.get_closest_marker(marker) is None or not (reason := lacking()):
            continue
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)


def _lacking_for_namespaces() -> str:
    lacking = [name for name in NEEDED if not shutil.which(name)]
    if os.geteuid() == 0 and not lacking:
        return ""
    return f"network namespaces need root and {', '.join(NEEDED)}; lacking: {', '.join(lacking) or 'root'}"


def _lacking_for_a_cluster() -> str:
    if os.environ.get("PROA_TEST_CLUSTER") == "1":
        lacking = [] if shutil.which("kubectl") else ["kubectl"]
        return ", ".join(lacking + ([] if os.environ.get("KUBECONFIG") else ["KUBECONFIG"]))
    try:
        machine.require_root()
        machine.check_image_tools()
        # One that is up needs nothing more.
        if node.first_process() is None:
            machine.check_machine()
    except ProaError as problem:
        return f"a cluster on this machine: {problem}"
    return ""


def _lacking_for_go() -> str:
    return "" if shutil.which("go") else "programs of other projects are built by Go 1.26 or newer, which is lacking"


_NEEDS: dict[str, Callable[[], str]] = {
    "netns": _lacking_for_namespaces,
    "go": _lacking_for_go,
    "cluster": _lacking_for_a_cluster,
}


@pytest.fixture(scope="session")
def waiting() -> Callable[[Callable[[], Any]], Any]:
    return awaited


@pytest.fixture(scope="session")
def envoy() -> Path:
    return envoy_binary()


@pytest.fixture(scope="session")
def bootstrap_written() -> Callable[[MeshConfiguration, Path], Path]:
    return write_bootstrap


@pytest.fixture(scope="session")
def authority_of_tests() -> Authority:
    return Authority()


@pytest.fixture(scope="session")
def another_authority() -> Authority:
    """The same trust domain, other keys."""
    return Authority()


@pytest.fixture(scope="module")
def rooms() -> Iterator[tuple[Room, Room]]:
    with made_rooms() as both:
        yield both


@pytest.fixture(scope="session")
def new_rooms() -> Any:
    return made_rooms


@pytest.fixture(scope="session")
def sidecar_in() -> Any:
    return running_sidecar


@pytest.fixture(scope="session")
def echo() -> type[Echo]:
    return Echo


@pytest.fixture(scope="session")
def any_json() -> st.SearchStrategy[Any]:
    scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
    return st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=12)
