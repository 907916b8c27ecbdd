"""CertificateSigningRequests on the real API server: who asks by a pod's token gets that pod's name, once approved."""

import json
import subprocess
from base64 import b64decode, b64encode
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_der_x509_csr

from ca.csr import stub_request
from support.kubectl import Kubectl, eventually, pod, pod_spec
from support.mesh import Mesh

pytestmark = pytest.mark.beside_others

USAGES = ["digital signature", "server auth", "client auth"]


def request(name: str) -> dict[str, Any]:
    pem = load_der_x509_csr(stub_request(ec.generate_private_key(ec.SECP256R1()))).public_bytes(Encoding.PEM)
    spec = {"signerName": "proa.dev/workload", "usages": USAGES, "request": b64encode(pem).decode()}
    return {
        "apiVersion": "certificates.k8s.io/v1",
        "kind": "CertificateSigningRequest",
        "metadata": {"name": name},
        "spec": spec,
    }


def as_the_pod(kubectl: Kubectl, token: str, directory: Path) -> Kubectl:
    """Who shows *token* and nothing else: a client certificate would count before it."""
    found = json.loads(kubectl("config", "view", "--raw", "--output=json"))
    (directory / "kubeconfig").write_text(json.dumps({**found, "users": [
        {"name": each["name"], "user": {"token": token}} for each in found["users"]
    ]}))  # fmt: skip
    return replace(kubectl, kubeconfig=directory / "kubeconfig")


def conditions(mesh: Mesh, name: str) -> dict[str, str]:
    found = mesh.kubectl.json("csr", name)["status"].get("conditions", [])
    return {each["type"]: each["reason"] for each in found}


def test_a_pod_that_asks_by_its_token_gets_its_own_name_once_it_is_approved_and_a_user_does_not(
    mesh: Mesh, namespace: Kubectl, tmp_path: Path
) -> None:
    name = f"{namespace.namespace}-pod"
    namespace.apply(pod("web", pod_spec("sleep", "3600")))
    namespace.ready("pod/web", seconds=120)
    role = ("create", "clusterrole", name, "--verb=create", "--resource=certificatesigningrequests")
    account = f"--serviceaccount={namespace.namespace}:default"
    try:
        mesh.kubectl(*role)
        mesh.kubectl("create", "clusterrolebinding", name, f"--clusterrole={name}", account)
        bound = ("--bound-object-kind=Pod", "--bound-object-name=web", "--duration=600s")
        token = namespace("create", "token", "default", *bound).strip()
        as_the_pod(mesh.kubectl, token, tmp_path)("create", "--filename=-", given=request(name))
        mesh.kubectl("create", "--filename=-", given=request(f"{name}-user"))
        mesh.kubectl("certificate", "approve", name, f"{name}-user")
        failed = eventually(lambda: conditions(mesh, f"{name}-user").get("Failed"), "the user's refusal", 120)
        assert failed == "RequesterNotAPod"
        found = eventually(lambda: mesh.kubectl.json("csr", name)["status"].get("certificate"), "its certificate", 60)
        assert set(conditions(mesh, name)) == {"Approved"}
    finally:
        mesh.kubectl("delete", "--ignore-not-found", f"csr/{name}", f"csr/{name}-user")
        mesh.kubectl("delete", "--ignore-not-found", f"clusterrolebinding/{name}", f"clusterrole/{name}")
    chain, roots = tmp_path / "chain.pem", tmp_path / "roots.pem"
    chain.write_bytes(b64decode(found))
    roots.write_text(mesh.kubectl.json("clustertrustbundle", "proa.dev:workload:v1")["spec"]["trustBundle"])
    trust = ("-CAfile", roots, "-no-CApath", "-no-CAstore", "-untrusted", chain)
    verifying = ["openssl", "verify", "-x509_strict", "-purpose", "sslclient", *trust, chain]
    verified = subprocess.run(verifying, capture_output=True, text=True, timeout=20, check=False)
    assert verified.returncode == 0, verified.stderr
    reading = ["openssl", "x509", "-in", chain, "-noout", "-ext", "subjectAltName"]
    names = subprocess.run(reading, capture_output=True, text=True, timeout=20, check=True).stdout
    assert f"URI:spiffe://cluster.local/ns/{namespace.namespace}/sa/default" in names
