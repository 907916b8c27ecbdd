"""Secrets for service accounts in a real cluster: by whose leave they are kept, what is in one, and how they go."""

import subprocess
from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest

from support.kubectl import Kubectl, eventually, pod, pod_spec
from support.mesh import Mesh

pytestmark = pytest.mark.beside_others

BIND = ("create", "rolebinding", "proa-ca-secrets", "--clusterrole=proa-ca-secrets")


def secret(inside: Kubectl, account: str) -> Any:
    return inside.found("secret", f"proa.{account}")


def test_a_namespace_that_asks_and_lets_us_has_a_secret_for_each_account_until_the_account_goes(
    mesh: Mesh, namespace: Kubectl, tmp_path: Path
) -> None:
    namespace("create", "serviceaccount", "web")
    namespace("label", "namespace", namespace.namespace, "proa.dev/secrets=enabled")

    def told() -> bool:
        events = mesh.system.json("events", "--field-selector=reason=SecretsNotKept")
        return any(f"--namespace={namespace.namespace} " in each["message"] for each in events)

    eventually(told, "a word about what the namespace lacks", seconds=120)
    assert secret(namespace, "web") is None
    namespace(*BIND, "--serviceaccount=proa-system:proa-ca")
    found = eventually(lambda: secret(namespace, "web"), "the Secret", seconds=150)
    assert found["type"] == "proa.dev/key-and-cert"
    for name, content in found["data"].items():
        (tmp_path / name).write_bytes(b64decode(content))
    chain = tmp_path / "cert-chain.pem"
    trust = ("-CAfile", tmp_path / "root-cert.pem", "-no-CApath", "-no-CAstore", "-untrusted", chain)
    verifying = ["openssl", "verify", "-x509_strict", "-purpose", "sslserver", *trust, chain]
    verified = subprocess.run(verifying, capture_output=True, text=True, timeout=20, check=False)
    assert verified.returncode == 0, verified.stderr
    reading = ["openssl", "x509", "-in", chain, "-noout", "-ext", "subjectAltName"]
    shown = subprocess.run(reading, capture_output=True, text=True, timeout=20, check=True).stdout
    assert f"URI:spiffe://cluster.local/ns/{namespace.namespace}/sa/web" in shown
    namespace("delete", "serviceaccount", "web")
    eventually(lambda: secret(namespace, "web") is None, "the end of the Secret", seconds=120)


def test_a_pod_mounts_its_accounts_secret(mesh: Mesh, namespace: Kubectl) -> None:
    assert mesh
    namespace(*BIND, "--serviceaccount=proa-system:proa-ca")
    namespace("label", "namespace", namespace.namespace, "proa.dev/secrets=enabled")
    spec = pod_spec("sleep", "3600", volumes=[{"name": "certs", "secret": {"secretName": "proa.default"}}])
    spec["containers"][0]["volumeMounts"] = [{"name": "certs", "mountPath": "/etc/certs"}]
    namespace.apply(pod("web", spec))
    namespace.ready("pod/web", seconds=180)
    listing = namespace.run("ls", "/etc/certs", of="web").split()
    assert listing == ["cert-chain.pem", "key.pem", "root-cert.pem"]


def test_a_namespace_that_did_not_ask_has_none(mesh: Mesh, namespace: Kubectl) -> None:
    """One that did, made after it, has its Secret: so this one was passed over."""
    namespace(*BIND, "--serviceaccount=proa-system:proa-ca")
    with mesh.kubectl.new_namespace(f"{namespace.namespace}-asks", {"proa.dev/secrets": "enabled"}) as asking:
        asking(*BIND, "--serviceaccount=proa-system:proa-ca")
        eventually(lambda: secret(asking, "default"), "the Secret of the one that asked", seconds=150)
    assert secret(namespace, "default") is None
