"""`proa install`, `check`, `status`, `explain`, `uninstall` against a real API server, kubelet and webhook."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from installation.preflight import PREFLIGHT
from support import certmanager
from support.kubectl import Kubectl, eventually, pod, pod_spec, workload
from support.mesh import Mesh, carries

REVISION = "commands"


def outcomes(found: Any) -> dict[str, str]:
    return {each["code"]: each["outcome"] for each in found["checks"]}


@pytest.fixture
def account(namespace: Kubectl, tmp_path: Path) -> Path:
    """The kubeconfig of a user who may nothing: the ServiceAccount `nobody` of *namespace*."""
    namespace("create", "serviceaccount", "nobody")
    given = json.loads(namespace("config", "view", "--raw", "--minify", "--output=json"))
    given["users"][0]["user"] = {"token": namespace("create", "token", "nobody").strip()}
    file = tmp_path / "kubeconfig"
    file.write_text(json.dumps(given), encoding="utf-8")
    return file


@pytest.fixture
def viewer(namespace: Kubectl, account: Path) -> Iterator[Path]:
    """The same user, with the cluster role `view` in the whole cluster."""
    name, user = f"view-{namespace.namespace}", f"--serviceaccount={namespace.namespace}:nobody"
    namespace("create", "clusterrolebinding", name, "--clusterrole=view", user)
    try:
        yield account
    finally:
        namespace("delete", "clusterrolebinding", name)


def test_a_working_installation_passes_every_check_of_the_installation(mesh: Mesh) -> None:
    assert set(mesh.checked().values()) == {"passed"}


def test_a_user_without_permission_is_told_so_and_nothing_is_changed(mesh: Mesh, account: Path) -> None:
    found = mesh.report("check", "--pre", f"--kubeconfig={account}", status=1)
    assert outcomes(found)["permission_missing"] == "failed"
    assert outcomes(found)["no_linux_node"] == "not made"
    for command in ("install", "upgrade"):
        refused = mesh.report(command, f"--kubeconfig={account}", status=1)
        assert (refused["outcome"], refused["changes"]) == ("refused", [])
        assert outcomes(refused) == {"permission_missing": "failed"}
    for command in ("status", "uninstall"):
        said = mesh.proa(command, f"--kubeconfig={account}", status=2)
        assert "forbidden" in said
        assert "→" in said
    assert mesh.installed


def test_who_may_view_the_cluster_may_see_its_status_and_have_a_pod_explained(
    mesh: Mesh, injected: Kubectl, viewer: Path
) -> None:
    injected.apply(pod("web", pod_spec("sleep", "1000")))
    found = mesh.report("status", f"--namespace={injected.namespace}", f"--kubeconfig={viewer}")
    assert [each["state"] for each in found["namespaces"][0]["pods"]] == ["injected"]
    (told,) = mesh.report("explain", f"{injected.namespace}/web", f"--kubeconfig={viewer}")
    assert told["explanation"]["verdict"] == "injected"
    checks = mesh.checked(f"--kubeconfig={viewer}")
    made = {"registration_untrusted", "trust_bundle_missing", "deployment_not_ready", "other_mesh_present"}
    assert {checks[code] for code in made} == {"passed"}


def test_a_namespace_that_forbids_sidecars_keeps_the_installation_from_being_changed(
    mesh: Mesh, namespace: Kubectl
) -> None:
    namespace(
        "label",
        "namespace",
        namespace.namespace,
        "proa.dev/inject=enabled",
        "pod-security.kubernetes.io/enforce=baseline",
    )
    refused = mesh.report("upgrade", status=1)
    assert (refused["outcome"], refused["changes"]) == ("refused", [])
    (row,) = [each for each in refused["checks"] if each["code"] == "pod_security_forbids_injection"]
    assert f"namespace {namespace.namespace} enforces baseline" in row["found"]
    went_on = mesh.report("upgrade", "--dry-run", "--ignore=pod_security_forbids_injection")
    assert went_on["outcome"] == "dry run"


def test_a_mesh_that_collides_is_named(mesh: Mesh, namespace: Kubectl) -> None:
    namespace("label", "namespace", namespace.namespace, "proa.dev/inject=enabled", "istio-injection=enabled")
    other = f"istio-sidecar-injector-{namespace.namespace}"
    webhook = {
        "name": "namespace.sidecar-injector.istio.io",
        "clientConfig": {"url": "https://127.0.0.1:1/inject"},
        "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}],
        "namespaceSelector": {
            "matchLabels": {"istio-injection": "enabled", "kubernetes.io/metadata.name": namespace.namespace}
        },
        "failurePolicy": "Ignore",
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
    }
    kind = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration"}
    namespace.create({**kind, "metadata": {"name": other}, "webhooks": [webhook]})
    try:
        found = outcomes(mesh.report("check", status=1))
        assert (found["other_mesh_collides"], found["other_mesh_present"]) == ("failed", "failed")
    finally:
        namespace("delete", "mutatingwebhookconfiguration", other)


def test_without_cert_manager_nothing_is_installed_that_needs_it(mesh: Mesh) -> None:
    if not certmanager.missing(mesh.kubectl):
        pytest.skip("the cluster has cert-manager")
    refused = mesh.report("install", f"--revision={REVISION}", "--certificates=cert-manager", status=1)
    assert (refused["outcome"], refused["changes"]) == ("refused", [])
    assert {each["code"] for each in refused["checks"]} == {"cert_manager_missing"}
    assert mesh.system("get", f"deployment/proa-webhook-{REVISION}", "--ignore-not-found") == ""


def test_status_tells_the_pods_that_lack_their_sidecar_and_why(mesh: Mesh, namespace: Kubectl) -> None:
    namespace.apply(pod("early", pod_spec("sleep", "1000")))
    eventually(lambda: namespace.json("pod", "early"), "the pod")
    # Timestamps are whole seconds: the label must be younger than the pod in the cluster's own clock.
    eventually(lambda: _older_than_now(namespace), "the next second")
    namespace("label", "namespace", namespace.namespace, "proa.dev/inject=enabled")
    namespace.apply(workload("Deployment", "web", pod_spec("sleep", "1000")))
    eventually(lambda: len(namespace.json("pods")) == 2, "both pods")
    assert mesh.states(namespace.namespace, status=1) == ["injected", "missing"]
    said = mesh.proa("status", f"--namespace={namespace.namespace}", status=1)
    assert f"missing Pod {namespace.namespace}/early: it is older than the label of its namespace" in said
    namespace("delete", "pod", "early", "--now")
    assert mesh.states(namespace.namespace, status=0) == ["injected"]


def _older_than_now(inside: Kubectl) -> bool:
    created = inside.json("pod", "early")["metadata"]["creationTimestamp"]
    probe = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"generateName": "now-"}}
    now = json.loads(inside("create", "--filename=-", "--output=json", given=probe))["metadata"]["creationTimestamp"]
    return bool(now > created)


def test_status_names_a_revision_that_is_not_installed(mesh: Mesh, namespace: Kubectl) -> None:
    namespace("label", "namespace", namespace.namespace, "proa.dev/inject=enabled", "proa.dev/rev=nowhere")
    namespace.apply(pod("web", pod_spec("sleep", "1000")))
    assert mesh.states(namespace.namespace, status=1) == ["missing"]
    assert "revision nowhere, which is not installed" in mesh.proa("status", status=1)
    assert outcomes(mesh.report("check", status=1))["revision_not_installed"] == "failed"


def test_explain_tells_of_a_pod_what_the_webhook_did(mesh: Mesh, injected: Kubectl) -> None:
    injected.apply(
        pod("web", pod_spec("sleep", "1000")),
        pod("out", pod_spec("sleep", "1000"), labels={"proa.dev/inject": "disabled"}),
    )
    assert carries(injected.json("pod", "web"))
    assert not carries(injected.json("pod", "out"))
    (web,) = mesh.report("explain", f"{injected.namespace}/web")
    (out,) = mesh.report("explain", "out", f"--namespace={injected.namespace}")
    assert (web["explanation"]["verdict"], out["explanation"]["verdict"]) == ("injected", "not asked")
    (entry,) = [each for each in web["explanation"]["entries"] if not each["stopped"]]
    assert entry["entry"].startswith("namespace.closed.default.")
    assert any(each["path"].startswith("/spec/initContainers") for each in web["explanation"]["edits"])
    assert "the pod's label proa.dev/inject opts out" in out["explanation"]["conclusion"]
    (past,) = mesh.report("trace", f"{injected.namespace}/out", "--to=10.96.0.1:443")
    (taken,) = mesh.report("trace", f"{injected.namespace}/web", "--to=10.96.0.1:443")
    assert (past["outcome"], taken["outcome"], taken["port"]) == ("direct", "captured", 15001)
    assert not any("has no address" in note for note in taken["notes"])


def test_a_pod_that_is_not_there_cannot_be_explained(mesh: Mesh, namespace: Kubectl) -> None:
    assert '"nothing" not found' in mesh.proa("explain", f"{namespace.namespace}/nothing", status=2)


def test_a_revision_is_installed_checked_used_and_removed_beside_the_default_one(
    mesh: Mesh, namespace: Kubectl
) -> None:
    try:
        done = mesh.report("install", f"--revision={REVISION}", "--profile=minimal")
        assert done["outcome"] == "applied"
        assert {each["action"] for each in done["changes"]} == {"create"}
        namespace("label", "namespace", namespace.namespace, "proa.dev/inject=enabled", f"proa.dev/rev={REVISION}")
        namespace.apply(pod("web", pod_spec("sleep", "1000")))
        assert carries(namespace.json("pod", "web"))
        assert mesh.states(namespace.namespace, status=0) == ["injected"]
        assert mesh.checked(f"--revision={REVISION}")["injection_fails"] == "passed"
        refused = mesh.report("uninstall", f"--revision={REVISION}", status=1)
        assert refused == {"outcome": "refused", "namespaces": [namespace.namespace]}
        namespace("label", "namespace", namespace.namespace, "proa.dev/rev-")
    finally:
        gone = mesh.report("uninstall", f"--revision={REVISION}", "--force")
    assert (gone["outcome"], gone["left"]) == ("removed", [])
    assert f"proa-webhook-{REVISION}" not in mesh.kubectl("get", "mutatingwebhookconfigurations", "--output=name")
    assert mesh.installed


def test_every_check_of_the_cluster_was_made_on_it(mesh: Mesh) -> None:
    found = mesh.report("check", "--pre")
    assert list(outcomes(found)) == [each.code for each in PREFLIGHT]
    assert "not made" not in outcomes(found).values()


def test_uninstalling_is_told_beforehand_with_the_pods_that_keep_their_sidecars(mesh: Mesh, injected: Kubectl) -> None:
    injected.apply(workload("Deployment", "web", pod_spec("sleep", "1000")))
    eventually(lambda: injected.json("pods"), "a pod")
    said = mesh.proa("uninstall", "--dry-run")
    assert said.index("remove  MutatingWebhookConfiguration proa-webhook") < said.index("remove  Namespace proa-system")
    assert f"kubectl -n {injected.namespace} rollout restart deployment/web" in said
