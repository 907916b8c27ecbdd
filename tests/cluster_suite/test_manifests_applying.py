"""`kubectl apply -k manifests/` installs everything, whichever way kubectl applies, and again changes nothing."""

from collections.abc import Iterator

import pytest

from installation.objects import objects
from installation.options import Options
from support.kubectl import eventually
from support.mesh import MANIFESTS, Mesh


@pytest.fixture
def empty(mesh: Mesh) -> Iterator[Mesh]:
    """A cluster without Proa; it is there again in the end."""
    mesh.uninstall()
    try:
        yield mesh
    finally:
        mesh.uninstall()
        mesh.install()


@pytest.mark.parametrize("way", ["--server-side=false", "--server-side=true"])
def test_the_manifests_are_applied_by_kubectl_and_applied_again_change_nothing(empty: Mesh, way: str) -> None:
    empty.install(way)
    assert set(empty.checked().values()) == {"passed"}
    eventually(lambda: empty.kubectl("diff", way, f"--kustomize={MANIFESTS}") == "", "nothing that differs")
    again = empty.kubectl("apply", way, f"--kustomize={MANIFESTS}").splitlines()
    assert len(again) == len(objects(Options()))
    same = "serverside-applied" if way.endswith("true") else "unchanged"
    assert [line for line in again if not line.endswith(f" {same}")] == []
