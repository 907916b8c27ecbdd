"""Two versions side by side, and a namespace that moves from one to the other without missing a pod."""

from pathlib import Path

import pytest

from proa import names
from support.kubectl import Kubectl
from support.mesh import Mesh, carries
from support.trickle import Trickle, recorded


@pytest.mark.beside_others("revisions")
def test_a_namespace_moves_to_another_revision_and_the_old_one_goes_without_a_missed_pod(
    mesh: Mesh, injected: Kubectl, tmp_path: Path
) -> None:
    quiet = tmp_path / "mesh.yaml"
    quiet.write_text("proxy: {accessLog: 'off'}\n", encoding="utf-8")
    mesh.proa("install", "--revision=old", "--profile=minimal")
    mesh.proa("install", "--revision=new", "--profile=minimal", f"--set-config={quiet}")
    try:
        _moved(injected, "old")
        with Trickle(injected) as pods:
            pods.some_more()
            _moved(injected, "new")
            pods.some_more()
            mesh.proa("uninstall", "--yes", "--revision=old")
            pods.some_more()
        assert pods.refused == []
        found = pods.pods()
        assert [each["metadata"]["name"] for each in found if not carries(each)] == []
        # Of the sidecar: two revisions give different ones.
        made_by = [recorded(each)["fingerprint"] for each in found]
        old, new = made_by[0], made_by[-1]
        assert old != new
        assert made_by == [old] * made_by.count(old) + [new] * made_by.count(new)
    finally:
        injected("label", "namespace", injected.namespace, f"{names.REVISION}-")
        for revision in ("old", "new"):
            mesh.proa("uninstall", "--yes", f"--revision={revision}")
    assert mesh.injects()


def _moved(inside: Kubectl, revision: str) -> None:
    inside("label", "namespace", inside.namespace, f"{names.REVISION}={revision}", "--overwrite")
