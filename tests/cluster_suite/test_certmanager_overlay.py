"""The overlay that leaves the webhook's certificate to cert-manager, on a cluster where that runs."""

import pytest

from proa import names
from support.certmanager import secret, trusted
from support.kubectl import Kubectl, eventually, pod, pod_spec
from support.mesh import MANIFESTS, PROCESSES, Mesh, carries, whole_cluster

pytestmark = pytest.mark.usefixtures("cert_manager")


def test_the_overlay_installs_a_mesh_that_passes_every_check_and_can_be_removed(mesh: Mesh, injected: Kubectl) -> None:
    mesh.uninstall()
    try:
        before = whole_cluster(mesh.kubectl)
        mesh.kubectl("apply", "--server-side", f"--kustomize={MANIFESTS / 'overlays' / 'cert-manager'}")
        mesh.system.ready(*PROCESSES, seconds=180)
        eventually(mesh.injects, "the first injected pod")
        assert trusted(mesh, names.WEBHOOK) == secret(mesh, "proa-serving-root")["tls.crt"]
        injected.apply(pod("app", pod_spec("sleep", "infinity")))
        injected.ready("pod/app")
        assert carries(injected.json("pod/app"))
        assert mesh.report("check")["ok"]
        changes = mesh.report("install", "--dry-run")["changes"]
        assert {each["action"] for each in changes if each["title"]["kind"] != "ConfigMap"} == {"keep"}
        mesh.uninstall()
        assert mesh.kubectl("get", "namespace", names.SYSTEM_NAMESPACE, "--ignore-not-found") == ""
        assert whole_cluster(mesh.kubectl).keys() ^ before.keys() == set()
    finally:
        mesh.install()
