"""The caBundle is the webhook's own: no tool that installs the registration takes it away, or sees it as a change."""

import base64
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from installation.objects import objects
from installation.options import Options, Scope
from installation.render.__main__ import MANIFESTS
from installation.render.mounts import MOUNTED
from launcher import builds
from proa.names import WEBHOOK
from support.charts import CHART, Helm
from support.installations import of_kind
from support.kubectl import Kubectl
from webhook.registration import Trust
from webhook.trust import FIELD_MANAGER, registered, trusting

pytestmark = pytest.mark.beside_others

BUNDLE = b"roots, to the API server"


@pytest.fixture
def revision(namespace: Kubectl) -> str:
    """Of nobody else: no namespace is labelled for it."""
    return namespace.namespace


@pytest.fixture
def name(kubectl: Kubectl, revision: str) -> Iterator[str]:
    name = f"proa-webhook-{revision}"
    yield name
    kubectl("delete", "mutatingwebhookconfiguration", name, "--ignore-not-found")


@pytest.fixture
def chart(tmp_path: Path) -> Path:
    """The chart with the registration alone: the rest would be in the way of an installation that is there."""
    shutil.copytree(CHART, tmp_path / "chart")
    for template in (tmp_path / "chart" / "templates").glob("*.yaml"):
        if template.name != "registration.yaml":
            template.unlink()
    return tmp_path / "chart"


def publish(kubectl: Kubectl, name: str) -> None:
    """What the webhook's leader does."""
    wanted = trusting(registered(kubectl.json("mutatingwebhookconfiguration", name)), BUNDLE)
    kubectl("apply", "--server-side", f"--field-manager={FIELD_MANAGER}", "--filename=-", given=wanted)


def bundles(kubectl: Kubectl, name: str) -> set[bytes]:
    found = kubectl.json("mutatingwebhookconfiguration", name)
    return {base64.b64decode(each["clientConfig"].get("caBundle", "")) for each in found["webhooks"]}


def owners(kubectl: Kubectl, name: str) -> set[str]:
    """The field managers of any caBundle."""
    found = kubectl.json("mutatingwebhookconfiguration", name, "--show-managed-fields")
    return {each["manager"] for each in found["metadata"]["managedFields"] if "f:caBundle" in str(each["fieldsV1"])}


def annotations(kubectl: Kubectl, name: str) -> dict[str, Any]:
    return dict(kubectl.json("mutatingwebhookconfiguration", name)["metadata"].get("annotations", {}))


# Without server-side apply Helm 4 merges three ways, as Helm 3 always did.
@pytest.mark.parametrize("way", ["--server-side=true", "--server-side=false"])
def test_an_upgrade_by_helm_leaves_the_bundle_and_its_owner(
    kubectl: Kubectl, chart: Path, revision: str, name: str, way: str
) -> None:
    helm = Helm(builds.built(builds.HELM), chart.parent)
    release = ("proa", str(chart), f"--namespace={revision}", f"--kubeconfig={kubectl.kubeconfig}", way)
    values = {"revision": revision, "scope": "revision"}
    helm("install", *release, values=values)
    publish(kubectl, name)
    helm("upgrade", *release, values={**values, "certificates": Trust.CERT_MANAGER.value})
    assert "cert-manager.io/inject-ca-from" in annotations(kubectl, name)
    assert bundles(kubectl, name) == {BUNDLE}
    assert owners(kubectl, name) == {FIELD_MANAGER}


@pytest.mark.parametrize("way", ["--server-side=true", "--server-side=false"])
def test_kubectl_leaves_the_bundle_and_sees_no_difference(kubectl: Kubectl, revision: str, name: str, way: str) -> None:
    (registration,) = of_kind(objects(Options(revision=revision, scope=Scope.REVISION)), "MutatingWebhookConfiguration")
    kubectl("apply", way, "--filename=-", given=registration)
    publish(kubectl, name)
    assert kubectl("diff", way, "--filename=-", given=registration) == ""
    registration["metadata"]["labels"]["changed"] = "yes"
    kubectl("apply", way, "--filename=-", given=registration)
    assert bundles(kubectl, name) == {BUNDLE}
    assert owners(kubectl, name) == {FIELD_MANAGER}


@pytest.mark.parametrize("way", ["--server-side=true", "--server-side=false"])
def test_what_an_admin_mounts_stays_where_an_upgrade_comes(namespace: Kubectl, way: str) -> None:
    (deployed,) = (each for each in of_kind(objects(Options()), "Deployment") if each["metadata"]["name"] == WEBHOOK)
    del deployed["metadata"]["namespace"]
    deployed["spec"]["replicas"] = 0
    namespace("apply", way, "--filename=-", given=deployed)
    for mounted in MOUNTED:
        file = MANIFESTS / "components" / mounted.name / "webhook.yaml"
        namespace("patch", f"deployment/{WEBHOOK}", f"--patch-file={file}")
    deployed["spec"]["template"]["spec"]["containers"][0]["image"] = "proa:next"
    namespace("apply", way, "--filename=-", given=deployed)
    (container,) = namespace.json(f"deployment/{WEBHOOK}")["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "proa:next"
    assert {each.variable for each in MOUNTED} <= {each["name"] for each in container["env"]}
    assert {each.name for each in MOUNTED} <= {each["name"] for each in container["volumeMounts"]}
