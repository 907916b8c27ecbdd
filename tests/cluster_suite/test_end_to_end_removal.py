"""What Proa leaves behind: nothing."""

from support.kubectl import Kubectl, pod, pod_spec
from support.mesh import Mesh, whole_cluster


def test_an_installation_that_is_removed_leaves_the_cluster_as_it_was(mesh: Mesh, injected: Kubectl) -> None:
    mesh.uninstall()
    try:
        before = whole_cluster(mesh.kubectl)
        mesh.install()
        injected.apply(pod("app", pod_spec("sleep", "infinity")))
        injected.ready("pod/app")
        assert whole_cluster(mesh.kubectl).keys() > before.keys()
        mesh.uninstall()
        after = whole_cluster(mesh.kubectl)
        assert after.keys() ^ before.keys() == set()
        assert [name for name in before if after[name] != before[name]] == []
        # A pod that has its sidecar keeps it, and its certificate until that ends.
        assert injected.json("pod/app")["status"]["phase"] == "Running"
    finally:
        mesh.install()
