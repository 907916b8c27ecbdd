"""Proa comes to a cluster that has nothing of it, by each way that the README names, and goes, leaving nothing."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from proa import names
from support.certmanager import secret, trusted
from support.kubectl import Kubectl, pod, pod_spec
from support.mesh import MANIFESTS, Mesh, carries, whole_cluster
from support.versions import another_version, environment_of

KUSTOMIZED = f"--kustomize={MANIFESTS}"


@pytest.fixture(scope="module")
def bare(mesh: Mesh) -> Iterator[Mesh]:
    """A cluster without Proa. It is there again in the end."""
    mesh.uninstall()
    try:
        yield mesh
    finally:
        mesh.install()


@pytest.fixture
def empty(bare: Mesh) -> Iterator[Mesh]:
    """The same for each test, which leaves nothing when it is well."""
    yield bare
    if bare.installed:
        bare.uninstall()


def written(mesh: Mesh) -> dict[str, object]:
    """When each object was last changed by somebody: what has a status counts that by itself."""
    found = mesh.kubectl.json(KUSTOMIZED)
    states = {f"{each['kind']} {each['metadata']['name']}": each["metadata"] for each in found}
    return {name: state.get("generation", state["resourceVersion"]) for name, state in states.items()}


def actions(mesh: Mesh, *but: str) -> set[str]:
    """What the command would do now with what is installed, kinds *but* those."""
    changes = mesh.report("install", "--dry-run")["changes"]
    return {each["action"] for each in changes if each["title"]["kind"] not in but}


@pytest.mark.parametrize("way", ["--server-side=false", "--server-side=true"])
def test_the_manifests_are_applied_by_kubectl_and_applied_again_change_nothing(
    empty: Mesh, way: str, tmp_path: Path
) -> None:
    empty.apply(way)
    assert set(empty.checked().values()) == {"passed"}
    # Raises where anything differs.
    assert empty.kubectl("diff", way, KUSTOMIZED) == ""
    before, versions = written(empty), empty.versions
    assert "Warning" not in empty.kubectl("apply", way, KUSTOMIZED)
    assert written(empty) == before
    # The manifests' document of the mesh configuration is written by another hand than a merged one.
    assert actions(empty, "ConfigMap") == {"keep"}
    # What kubectl has applied is not taken over by an upgrade unasked.
    said = replace(empty, environment=environment_of(another_version(), tmp_path)).proa("upgrade", status=2)
    assert 'conflict with "kubectl' in said
    assert "--force-conflicts" in said
    assert empty.versions == versions


def test_an_installation_by_the_command_is_whole_and_its_removal_leaves_the_cluster_as_it_was(
    empty: Mesh, namespace: Kubectl
) -> None:
    before = whole_cluster(empty.kubectl)
    done = empty.report("install")
    assert (done["outcome"], done["outstanding"]) == ("applied", [])
    assert empty.injects()
    assert actions(empty) == {"keep"}
    namespace("label", "namespace", namespace.namespace, f"{names.INJECT}=enabled")
    namespace.apply(pod("app", pod_spec("sleep", "infinity")))
    namespace.ready("pod/app")
    assert whole_cluster(empty.kubectl).keys() > before.keys()
    empty.uninstall()
    assert_that_nothing_is_left(empty, before)
    # A pod that has its sidecar keeps it, and its certificate until that ends.
    assert carries(found := namespace.json("pod/app"))
    assert found["status"]["phase"] == "Running"


@pytest.mark.usefixtures("cert_manager")
def test_the_overlay_for_cert_manager_installs_a_mesh_that_passes_every_check_and_can_be_removed(
    empty: Mesh, namespace: Kubectl
) -> None:
    before = whole_cluster(empty.kubectl)
    empty.apply("--server-side", overlay="overlays/cert-manager")
    assert trusted(empty, names.WEBHOOK) == secret(empty, "proa-serving-root")["tls.crt"]
    namespace("label", "namespace", namespace.namespace, f"{names.INJECT}=enabled")
    namespace.apply(pod("app", pod_spec("sleep", "infinity")))
    namespace.ready("pod/app")
    assert carries(namespace.json("pod/app"))
    assert empty.report("check")["ok"]
    assert actions(empty, "ConfigMap") == {"keep"}
    empty.uninstall()
    assert_that_nothing_is_left(empty, before)


def assert_that_nothing_is_left(mesh: Mesh, before: dict[str, Any]) -> None:
    """*before* is the cluster without Proa: byte for byte, and what is namespaced by the command's own word."""
    after = whole_cluster(mesh.kubectl)
    assert after.keys() ^ before.keys() == set()
    assert [name for name in before if after[name] != before[name]] == []
    assert names.SIGNER not in mesh.kubectl("get", "clustertrustbundles")
    assert "Nothing of Proa is installed" in mesh.proa("uninstall")
