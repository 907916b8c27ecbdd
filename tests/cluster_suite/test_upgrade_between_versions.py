"""Two versions that really differ, each with an image and a command of its own, one after the other and side by side.

The image of the other one is the first's with another version in its metadata (tests/cluster/next/Dockerfile). A
cluster that is not started here must have it: PROA_TEST_NEXT_IMAGE says how it is called, by a tag that is its version.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from proa import names
from proa.mesh import MeshConfiguration
from proa.release import VERSION
from support.kubectl import Kubectl, eventually, serving, workload
from support.mesh import IN_MESH, PROCESSES, Mesh, carries
from support.trickle import Trickle, recorded
from support.versions import another_version, environment_of, load_image

NEXT_IMAGE = os.environ.get("PROA_TEST_NEXT_IMAGE", "")
REVISION = "next"

pytestmark = pytest.mark.skipif(
    os.environ.get("PROA_TEST_CLUSTER") == "1" and not NEXT_IMAGE,
    reason="another version's image cannot be brought into a cluster that is not ours: see PROA_TEST_NEXT_IMAGE",
)


@dataclass(frozen=True, slots=True)
class Release:
    """A version: the cluster as its command sees it, and what its pods run."""

    mesh: Mesh
    version: str
    image: str

    @property
    def named(self) -> tuple[str, ...]:
        """The image, where a tag alone would not tell the one from the other."""
        return (f"--image={self.image}",) if NEXT_IMAGE else ()


@pytest.fixture(scope="module")
def later(mesh: Mesh, tmp_path_factory: pytest.TempPathFactory) -> Release:
    image = NEXT_IMAGE or f"proa:{another_version()}"
    version = image.rpartition(":")[2]
    if not NEXT_IMAGE:
        loading = load_image(version)
        said, _ = loading.communicate()
        assert loading.returncode == 0, said
    environment = environment_of(version, tmp_path_factory.mktemp("later"))
    return Release(replace(mesh, environment=environment), version, image)


@pytest.fixture
def former(mesh: Mesh) -> Iterator[Release]:
    """What is installed; again so in the end, whatever the test makes of it."""
    release = Release(mesh, VERSION, MeshConfiguration().init.image)
    yield release
    if f"{names.WEBHOOK}-{REVISION}" in mesh.versions:
        mesh.proa("uninstall", "--yes", "--force", f"--revision={REVISION}")
    if names.WEBHOOK not in mesh.versions:
        mesh.proa("install", *release.named)
    if set(mesh.versions.values()) != {VERSION}:
        mesh.proa("upgrade", *release.named)


def assert_that_every_part_runs(release: Release) -> None:
    """By what the programs say themselves."""
    system = release.mesh.system
    assert set(release.mesh.versions.values()) == {release.version}
    standing = [each for each in system.json("pods") if "deletionTimestamp" not in each["metadata"]]
    assert len(standing) == 2 * len(PROCESSES)
    for each in standing:
        assert {container["image"] for container in each["spec"]["containers"]} == {release.image}
        said = system.run("proa", "version", of=f"pod/{each['metadata']['name']}")
        assert said == f"proa {release.version}\n"


def serving_pod(inside: Kubectl) -> dict[str, Any]:
    """The one pod of the Deployment `web`, when no other is left."""
    inside.ready("deployment/web")
    (found,) = eventually(lambda: _alone(inside.json("pods", "--selector=app=web")), "one pod of the web")
    assert carries(found)
    return dict(found)


def _alone(found: list[Any]) -> list[Any]:
    return found if len(found) == 1 else []


def made_by(found: dict[str, Any]) -> tuple[str, str]:
    """The version whose webhook injected a pod, and the image of the init container that it gave."""
    (init,) = [each for each in found["spec"]["initContainers"] if each["name"] == names.INIT_CONTAINER]
    return recorded(found)["proa"], init["image"]


def roots(mesh: Mesh) -> list[str]:
    found = mesh.kubectl.json("clustertrustbundles")
    return [each["spec"]["trustBundle"] for each in found if each["spec"].get("signerName") == names.SIGNER]


def assert_that_none_was_missed(pods: Trickle, first: Release, last: Release) -> None:
    found = pods.pods()
    assert pods.refused == []
    assert len(found) == pods.created
    assert [each["metadata"]["name"] for each in found if not carries(each)] == []
    # In between both answer: while the replicas of one webhook are replaced, the API server asks any of them.
    assert made_by(found[0]) == (first.version, first.image)
    assert made_by(found[-1]) == (last.version, last.image)
    pods.clear()


def upgraded(before: Release, after: Release, inside: Kubectl) -> None:
    """*after*'s command makes the installation of *before* its own, and an application's pods follow when told to."""
    with Trickle(inside) as pods:
        pods.some_more()
        done = after.mesh.report("upgrade", *after.named)
        pods.some_more()
    assert (done["outcome"], done["outstanding"]) == ("applied", [])
    assert_that_every_part_runs(after)
    assert_that_none_was_missed(pods, before, after)
    assert after.mesh.states(inside.namespace, status=1) == ["outdated"]
    said = after.mesh.proa("status", f"--namespace={inside.namespace}", status=1)
    assert f"Proa {before.version} injected it" in said
    assert f"kubectl -n {inside.namespace} rollout restart deployment/web" in said
    inside("rollout", "restart", "deployment/web")
    assert made_by(serving_pod(inside)) == (after.version, after.image)
    assert after.mesh.states(inside.namespace, status=0) == ["injected"]


def test_an_installation_is_upgraded_to_another_version_and_brought_back_without_a_missed_pod(
    former: Release, later: Release, injected: Kubectl
) -> None:
    injected.apply(workload("Deployment", "web", serving()))
    assert made_by(serving_pod(injected)) == (former.version, former.image)
    before = roots(former.mesh)
    upgraded(former, later, injected)
    # The former version's command sees that it is not at home here, and what to use instead.
    assert former.mesh.checked()["version_differs"] == "failed"
    assert "to change it use proa upgrade" in former.mesh.proa("install", status=2)
    upgraded(later, former, injected)
    assert set(former.mesh.checked().values()) == {"passed"}
    assert roots(former.mesh) == before


def test_two_versions_stand_side_by_side_and_a_namespace_moves_from_one_to_the_other(
    former: Release, later: Release, injected: Kubectl
) -> None:
    done = later.mesh.report("install", f"--revision={REVISION}", "--profile=minimal", *later.named)
    assert done["outcome"] == "applied"
    beside = {"proa-ca": former.version, "proa-webhook": former.version, f"proa-webhook-{REVISION}": later.version}
    assert former.mesh.versions == beside
    revised = {**IN_MESH, names.REVISION: REVISION}
    with former.mesh.kubectl.new_namespace(f"{injected.namespace}-{REVISION}", revised) as ahead:
        for inside, release in ((injected, former), (ahead, later)):
            inside.apply(workload("Deployment", "web", serving()))
            assert made_by(serving_pod(inside)) == (release.version, release.image)
            # Whoever asks: a sidecar is compared with the configuration of its own revision.
            for asking in (former, later):
                assert asking.mesh.states(inside.namespace, status=0) == ["injected"]
        with Trickle(injected) as pods:
            pods.some_more()
            injected("label", "namespace", injected.namespace, f"{names.REVISION}={REVISION}")
            pods.some_more()
            former.mesh.proa("uninstall", "--yes", "--revision=default")
            pods.some_more()
            assert later.mesh.report("upgrade", f"--revision={REVISION}", *later.named)["outcome"] == "applied"
            pods.some_more()
        assert_that_none_was_missed(pods, former, later)
        assert later.mesh.versions == {"proa-ca": later.version, f"proa-webhook-{REVISION}": later.version}
        injected("rollout", "restart", "deployment/web")
        assert made_by(serving_pod(injected)) == (later.version, later.image)
