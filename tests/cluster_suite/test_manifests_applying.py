"""`kubectl apply -k manifests/` installs everything, whichever way kubectl applies, and again changes nothing."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from support.mesh import MANIFESTS, Mesh
from support.versions import another_version, environment_of

KUSTOMIZED = f"--kustomize={MANIFESTS}"


@pytest.fixture
def empty(mesh: Mesh) -> Iterator[Mesh]:
    """A cluster without Proa; it is there again in the end."""
    mesh.uninstall()
    try:
        yield mesh
    finally:
        mesh.uninstall()
        mesh.install()


def written(mesh: Mesh) -> dict[str, object]:
    """When each object was last changed by somebody: what has a status counts that by itself."""
    found = mesh.kubectl.json(KUSTOMIZED)
    states = {f"{each['kind']} {each['metadata']['name']}": each["metadata"] for each in found}
    return {name: state.get("generation", state["resourceVersion"]) for name, state in states.items()}


@pytest.mark.parametrize("way", ["--server-side=false", "--server-side=true"])
def test_the_manifests_are_applied_by_kubectl_and_applied_again_change_nothing(empty: Mesh, way: str) -> None:
    empty.install(way)
    assert set(empty.checked().values()) == {"passed"}
    # Raises where anything differs.
    assert empty.kubectl("diff", way, KUSTOMIZED) == ""
    before = written(empty)
    assert "Warning" not in empty.kubectl("apply", way, KUSTOMIZED)
    assert written(empty) == before


def test_what_kubectl_has_applied_is_not_taken_over_by_an_upgrade_unasked(mesh: Mesh, tmp_path: Path) -> None:
    mesh.install()
    before = mesh.versions
    later = replace(mesh, environment=environment_of(another_version(), tmp_path))
    said = later.proa("upgrade", status=2)
    assert 'conflict with "kubectl": .metadata.labels.app.kubernetes.io/version' in said
    assert "--force-conflicts" in said
    assert mesh.versions == before
