"""The webhook's certificate by cert-manager: its real controllers and CA injector on the cluster's API server."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

import pytest
from cryptography import x509

from proa import names
from support.certmanager import secret, trusted
from support.kubectl import Kubectl, eventually, serves
from support.mesh import Mesh, carries
from support.trickle import Trickle

REVISION: Final = "certified"
KINDS: Final = ",".join(
    ("secrets", *(f"{kind}.cert-manager.io" for kind in ("issuers", "certificates", "certificaterequests")))
)
pytestmark = [pytest.mark.usefixtures("cert_manager"), pytest.mark.beside_others("revisions")]

KUBELETS_SECONDS: Final = 180
"""In which a node has a Secret's new content in its pods: the kubelet looks once a minute, and may keep what it saw."""


@pytest.fixture
def revision(mesh: Mesh, injected: Kubectl) -> Iterator[Kubectl]:
    """kubectl in a namespace that asks for REVISION, which the test installs."""
    injected("label", "namespace", injected.namespace, f"{names.REVISION}={REVISION}", "--overwrite")
    try:
        yield injected
    finally:
        mesh.proa("uninstall", f"--revision={REVISION}", "--force")


def serial(pem: str) -> str:
    """Of the first certificate in *pem*, as a webhook's log has it."""
    return f"{x509.load_pem_x509_certificates(pem.encode())[0].serial_number:x}"


def served(mesh: Mesh, webhook: str) -> set[str]:
    """The serial of the certificate that each webhook has in force, but for those that are ending or not there yet:
    the test of a root's rotation, beside this one, restarts every process."""
    pods = mesh.system.json("pods", f"--selector=app.kubernetes.io/name={webhook}")
    return {_last_serial(mesh.system("logs", each["metadata"]["name"])) for each in pods if serves(each)}


def _last_serial(log: str) -> str:
    events = (json.loads(line) for line in log.splitlines() if line.startswith("{"))
    return str([each["serial"] for each in events if each["event"] == "serving certificate in force"][-1])


def renew(mesh: Mesh, certificate: str) -> None:
    """As `cmctl renew` does: a condition in the Certificate's status has cert-manager issue it anew."""
    found = mesh.system.json("certificates.cert-manager.io", certificate)
    condition = {
        "type": "Issuing",
        "status": "True",
        "reason": "ManuallyTriggered",
        "message": "Certificate re-issuance manually triggered",
        "observedGeneration": found["metadata"]["generation"],
        "lastTransitionTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    patch = json.dumps([{"op": "add", "path": "/status/conditions/-", "value": condition}])
    mesh.system(
        "patch", "certificates.cert-manager.io", certificate, "--subresource=status", "--type=json", f"--patch={patch}"
    )


def left(mesh: Mesh, word: str) -> list[str]:
    """What of cert-manager's is there, or came from it, with *word* in its name."""
    return [each for each in mesh.system("get", KINDS, "--output=name").split() if word in each]


def test_a_revision_is_certified_by_cert_manager_and_a_renewed_leaf_comes_into_force_without_a_refused_pod(
    mesh: Mesh, revision: Kubectl
) -> None:
    done = mesh.report("install", f"--revision={REVISION}", "--certificates=cert-manager")
    assert (done["outcome"], done["outstanding"]) == ("applied", [])
    webhook, root = f"{names.WEBHOOK}-{REVISION}", f"proa-serving-root-{REVISION}"
    assert trusted(mesh, webhook) == secret(mesh, root)["tls.crt"]
    former = serial(secret(mesh, f"{webhook}-serving")["tls.crt"])
    assert served(mesh, webhook) == {former}
    with Trickle(revision) as pods:
        pods.some_more()
        renew(mesh, webhook)
        eventually(lambda: serial(secret(mesh, f"{webhook}-serving")["tls.crt"]) != former, "the renewed leaf")
        renewed = serial(secret(mesh, f"{webhook}-serving")["tls.crt"])
        eventually(lambda: served(mesh, webhook) == {renewed}, "its being served", KUBELETS_SECONDS)
        pods.some_more()
    assert pods.refused == []
    assert [each["metadata"]["name"] for each in pods.pods() if not carries(each)] == []
    assert trusted(mesh, webhook) == secret(mesh, root)["tls.crt"]


def test_a_revision_is_handed_over_to_cert_manager_without_a_refused_pod_and_leaves_nothing_of_it_behind(
    mesh: Mesh, revision: Kubectl
) -> None:
    mesh.proa("install", f"--revision={REVISION}")
    webhook = f"{names.WEBHOOK}-{REVISION}"
    former = trusted(mesh, webhook)
    with Trickle(revision) as pods:
        pods.some_more()
        done = mesh.report("upgrade", f"--revision={REVISION}", "--certificates=cert-manager")
        pods.some_more()
    assert (done["outcome"], pods.refused) == ("applied", [])
    assert served(mesh, webhook) == {serial(secret(mesh, f"{webhook}-serving")["tls.crt"])}
    # The injector adds to what is trusted, so that the webhooks of before are believed until they are gone.
    assert trusted(mesh, webhook) == former + secret(mesh, f"proa-serving-root-{REVISION}")["tls.crt"]
    said = mesh.proa("upgrade", f"--revision={REVISION}", "--certificates=proa", status=2)
    assert "install another revision" in said
    gone = mesh.report("uninstall", f"--revision={REVISION}", "--force")
    assert (gone["outcome"], gone["left"]) == ("removed", [])
    eventually(lambda: left(mesh, REVISION) == [], f"the end of {left(mesh, REVISION)}")
    assert mesh.installed
