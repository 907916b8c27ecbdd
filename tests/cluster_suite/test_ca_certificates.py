"""Pods' certificates from a real kubelet and API server: who gets one, who does not, and that no replica is missed."""

import re
import subprocess
import time
from base64 import b64encode
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from support.door import proof
from support.kubectl import Kubectl, eventually, pod, pod_spec
from support.mesh import Mesh

beside_others = pytest.mark.beside_others

DIRECTORY = "/identity"
LEASE = ("lease", "proa-ca")
LEASED = 45
"""Seconds for which nobody leads: a pod may take half of them until its kubelet asks for its certificate."""


def asking(name: str, account: str = "default", signer: str = "proa.dev/workload", key: str = "ECDSAP256") -> Any:
    """A pod that starts once it has its certificate, without a sidecar."""
    certificate = {"signerName": signer, "keyType": key, "credentialBundlePath": "credential-bundle.pem"}
    roots = {"signerName": "proa.dev/workload", "labelSelector": {}, "path": "trust-bundle.pem"}
    volume = {
        "name": "identity",
        "projected": {"sources": [{"podCertificate": certificate}, {"clusterTrustBundle": roots}]},
    }
    spec = pod_spec("sleep", "3600", serviceAccountName=account, volumes=[volume])
    spec["containers"][0]["volumeMounts"] = [{"name": "identity", "mountPath": DIRECTORY}]
    return pod(name, spec, labels={"proa.dev/inject": "disabled"})


def request_of(inside: Kubectl, name: str) -> Any:
    """The pod's newest PodCertificateRequest."""
    found = [each for each in inside.json("podcertificaterequests") if each["spec"]["podName"] == name]
    return max(found, key=lambda each: each["metadata"]["creationTimestamp"], default=None)


def condition(request: Any) -> Any:
    return next(iter((request or {}).get("status", {}).get("conditions", [])), None)


def answered(inside: Kubectl, name: str) -> Any:
    """A test beside may take every replica away at once."""
    return eventually(lambda: condition(request_of(inside, name)), f"an answer to {name}", 120)


def openssl(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True, timeout=20, check=False)


@beside_others
def test_a_pods_certificate_names_its_service_account_and_openssl_verifies_it(
    mesh: Mesh, namespace: Kubectl, tmp_path: Path
) -> None:
    assert mesh
    namespace("create", "serviceaccount", "web")
    namespace.apply(asking("web", "web"))
    namespace.ready("pod/web")
    bundle, roots = tmp_path / "bundle.pem", tmp_path / "roots.pem"
    bundle.write_text(namespace.run("cat", f"{DIRECTORY}/credential-bundle.pem", of="web"))
    roots.write_text(namespace.run("cat", f"{DIRECTORY}/trust-bundle.pem", of="web"))
    trust = ("-CAfile", roots, "-no-CApath", "-no-CAstore", "-untrusted", bundle)
    for purpose in ("sslserver", "sslclient"):
        verified = openssl("verify", "-x509_strict", "-purpose", purpose, *trust, bundle)
        assert verified.returncode == 0, verified.stderr
    text = re.sub(r"\s+", " ", openssl("x509", "-in", bundle, "-noout", "-text").stdout)
    identity = f"spiffe://cluster.local/ns/{namespace.namespace}/sa/web"
    assert f"X509v3 Subject Alternative Name: critical URI:{identity} " in text
    assert (
        openssl("pkey", "-in", bundle, "-pubout").stdout == openssl("x509", "-in", bundle, "-noout", "-pubkey").stdout
    )


@beside_others
def test_the_api_server_shows_when_a_certificate_is_to_be_renewed(mesh: Mesh, namespace: Kubectl) -> None:
    assert mesh
    namespace.apply(asking("web"))
    assert answered(namespace, "web")["type"] == "Issued"
    status = request_of(namespace, "web")["status"]
    begin, refresh, end = (datetime.fromisoformat(status[key]) for key in ("notBefore", "beginRefreshAt", "notAfter"))
    assert (end - begin).total_seconds() == 86400
    assert 0.45 <= (refresh - begin) / (end - begin) <= 0.55


@beside_others
@pytest.mark.parametrize(
    ("key", "signer", "reason"),
    [("ED25519", "proa.dev/workload", "UnsupportedKeyType"), ("ECDSAP256", "proa.dev/serving", "NotAServer")],
)
def test_what_can_never_be_right_is_denied_with_a_reason_that_the_pods_owner_sees(
    mesh: Mesh, namespace: Kubectl, key: str, signer: str, reason: str
) -> None:
    assert mesh
    namespace.apply(asking("web", key=key, signer=signer))
    denied = answered(namespace, "web")
    assert (denied["type"], denied["reason"]) == ("Denied", reason)
    eventually(lambda: reason in namespace("get", "events", "--output=yaml"), "the pod's Event")


@beside_others
def test_a_kubelet_older_than_1_36_gets_a_certificate_for_the_key_that_only_v1beta1_shows(
    mesh: Mesh, namespace: Kubectl
) -> None:
    """The request is an admin's, made of a real one; the API server checks its proof as well."""
    assert mesh
    if "certificates.k8s.io/v1beta1" not in namespace("api-versions").split():
        pytest.skip("the cluster's API server does not serve v1beta1")
    namespace.apply(asking("web"))
    assert answered(namespace, "web")["type"] == "Issued"
    spec, key = request_of(namespace, "web")["spec"], ec.generate_private_key(ec.SECP256R1())
    del spec["stubPKCS10Request"]
    sent = proof(key, spec["podUID"])
    pair = {"pkixPublicKey": sent.key, "proofOfPossession": sent.signature}
    spec |= {name: b64encode(value).decode() for name, value in pair.items()}
    kind = {"apiVersion": "certificates.k8s.io/v1beta1", "kind": "PodCertificateRequest"}
    # kubectl's own validation knows no request without the newer field.
    old = {**kind, "metadata": {"name": "old"}, "spec": spec}
    namespace("create", "--validate=false", "--filename=-", given=old)
    shown = namespace.json("podcertificaterequests.v1.certificates.k8s.io", "old")
    assert not {"stubPKCS10Request", *pair} & {name for name, value in shown["spec"].items() if value}
    answer = eventually(lambda: condition(namespace.json("podcertificaterequest", "old")), "an answer")
    assert answer["type"] == "Issued", answer
    chain = namespace.json("podcertificaterequest", "old")["status"]["certificateChain"]
    assert x509.load_pem_x509_certificates(chain.encode())[0].public_key() == key.public_key()


@beside_others
def test_a_request_in_another_pods_name_gets_nothing(mesh: Mesh, namespace: Kubectl) -> None:
    """Made by an admin, as the API server takes such requests from no kubelet (NodeRestriction)."""
    assert mesh
    namespace("create", "serviceaccount", "admin")
    namespace.apply(asking("web"))
    assert answered(namespace, "web")["type"] == "Issued"
    own, admin = request_of(namespace, "web"), namespace.json("serviceaccount", "admin")
    another = {"serviceAccountName": "admin", "serviceAccountUID": admin["metadata"]["uid"]}
    forged = {"account": another, "node": {"nodeName": "elsewhere"}, "pod": {"podUID": "another"}}
    for name, changed in forged.items():
        spec = {**own["spec"], **changed}
        namespace.create({**own, "metadata": {"name": name}, "spec": spec, "status": {}})
    namespace.apply(asking("last"))
    assert answered(namespace, "last")["type"] == "Issued"

    def state(name: str) -> Any:
        return condition(namespace.json("podcertificaterequest", name))

    assert eventually(lambda: state("account"), "a denial")["reason"] == "ServiceAccountMismatch"
    assert eventually(lambda: state("node"), "a denial")["reason"] == "NodeMismatch"
    assert state("pod") is None, "its pod may have come anew under its name: nobody waits for it"


@pytest.mark.beside_others("replicas")
def test_no_pod_misses_its_certificate_while_each_replica_goes(mesh: Mesh, namespace: Kubectl) -> None:
    names = [f"web-{number}" for number in range(12)]
    found = mesh.system.json("pods", "--selector=app.kubernetes.io/name=proa-ca")
    # Those that were replaced before are not gone at once.
    replicas = [each["metadata"]["name"] for each in found if "deletionTimestamp" not in each["metadata"]]
    assert len(replicas) >= 2
    for replica, batch in zip(replicas, (names[:6], names[6:]), strict=False):
        mesh.system("delete", "pod", replica, "--wait=false")
        namespace.apply(*map(asking, batch))
        mesh.system.ready("deployment/proa-ca", seconds=180)
    namespace.ready(*(f"pod/{name}" for name in names), seconds=180)


@pytest.mark.beside_others("replicas")
def test_requests_are_answered_while_nobody_leads(mesh: Mesh, namespace: Kubectl) -> None:
    system = mesh.system
    renewed = datetime.now().astimezone().isoformat(timespec="microseconds")
    ghost = f'{{"spec": {{"holderIdentity": "ghost", "leaseDurationSeconds": {LEASED}, "renewTime": "{renewed}"}}}}'
    system("patch", *LEASE, "--type=merge", f"--patch={ghost}")
    began = time.monotonic()
    namespace.apply(asking("web"))
    assert answered(namespace, "web")["type"] == "Issued"
    assert system("get", *LEASE, "--output=jsonpath={.spec.holderIdentity}") == "ghost"
    assert time.monotonic() - began < LEASED - 5
    eventually(
        lambda: system("get", *LEASE, "--output=jsonpath={.spec.holderIdentity}") != "ghost", "a leader", seconds=120
    )
