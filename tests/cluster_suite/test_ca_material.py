"""What the authority issues with, in a real cluster: renewed, replaced by an admin, spoilt by one, published again."""

import json
from base64 import b64decode
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from ca.authority import new_intermediate, new_root
from ca.certificates import Validity, issuing_certificate
from ca.lint import faults
from ca.material import Issuer, Material
from ca.profile import Terms, intermediate_builder
from ca.randomness import new_key, new_serial
from ca.root_secret import stored_roots
from ca.stored import material_secret, stored_material
from ca.trust import TRUST_BUNDLE_NAME
from proa.identity import TrustDomain
from support.kubectl import Kubectl, eventually, pod, pod_spec
from support.mesh import Mesh

DOMAIN = TrustDomain("cluster.local")
UPSTREAM = "mesh-root"
BUNDLE = ("clustertrustbundle", TRUST_BUNDLE_NAME)


@pytest.fixture
def system(mesh: Mesh) -> Iterator[Kubectl]:
    """Proa's namespace, whose issuer is put back as it was."""
    data = mesh.system.json("secret", "proa-ca")["data"]
    roots = mesh.kubectl.json(*BUNDLE)["spec"]["trustBundle"]
    yield mesh.system
    write(mesh.system, data)
    eventually(lambda: mesh.kubectl.json(*BUNDLE)["spec"]["trustBundle"] == roots, "the former roots")


def write(system: Kubectl, data: dict[str, str]) -> None:
    system("patch", "secret", "proa-ca", "--type=merge", "--patch-file=/dev/stdin", given={"data": data})


def written(system: Kubectl, material: Material) -> None:
    secret: Any = material_secret(material)
    write(system, secret["data"])


def stored(system: Kubectl) -> Material:
    return stored_material(system.json("secret", "proa-ca"))


def warned(system: Kubectl, reason: str, words: str) -> bool:
    return any(
        event["reason"] == reason and words in event["message"]
        for event in system.json("events", "--field-selector=involvedObject.name=proa-ca")
    )


def issuer_of_a_new_pod(inside: Kubectl, name: str) -> x509.Name:
    """The name in a certificate that is asked for now."""
    source = {"signerName": "proa.dev/workload", "keyType": "ECDSAP256", "credentialBundlePath": "bundle.pem"}
    volume = {"name": "identity", "projected": {"sources": [{"podCertificate": source}]}}
    spec = pod_spec("sleep", "3600", volumes=[volume])
    spec["containers"][0]["volumeMounts"] = [{"name": "identity", "mountPath": "/identity"}]
    inside.apply(pod(name, spec, labels={"proa.dev/inject": "disabled"}))

    def chain() -> str:
        mine = [each for each in inside.json("podcertificaterequests") if each["spec"]["podName"] == name]
        return mine[0].get("status", {}).get("certificateChain", "") if mine else ""

    return x509.load_pem_x509_certificates(eventually(chain, f"{name}'s certificate").encode())[0].issuer


def ends_in(days: int, root: Issuer) -> Issuer:
    """An intermediate below *root* that is at the end of its 90 days."""
    key, end = new_key(), datetime.now(UTC).replace(microsecond=0) + timedelta(days=days)
    terms = Terms(key.public_key(), Validity(end - timedelta(days=90), end), new_serial())
    builder = intermediate_builder(DOMAIN, terms, root.issuing)
    return Issuer(issuing_certificate(builder.sign(root.key, SHA256())), key)


def test_the_stored_issuer_fits_its_root_and_its_key_is_alone_in_its_secret(system: Kubectl) -> None:
    material, (root,) = stored(system), stored_roots(system.json("secret", "proa-ca-root"))
    assert material.root == root.issuing.certificate
    assert system.json("secret", "proa-ca")["type"] == "proa.dev/ca"
    values = system.json("secret", "proa-ca")["data"].values()
    assert sum(b64decode(value).count(b"BEGIN PRIVATE KEY") for value in values) == 1


def test_the_published_roots_are_the_stored_ones_and_come_back_when_they_are_deleted(
    mesh: Mesh, system: Kubectl
) -> None:
    wanted = b64decode(system.json("secret", "proa-ca")["data"]["ca.crt"]).decode()
    assert mesh.kubectl.json(*BUNDLE)["spec"]["trustBundle"] == wanted
    mesh.kubectl("delete", *BUNDLE)
    again = eventually(lambda: mesh.kubectl("get", *BUNDLE, "--ignore-not-found", "--output=json"), "the roots")
    assert json.loads(again)["spec"]["trustBundle"] == wanted


def test_a_secret_that_does_not_fit_leaves_the_last_good_issuer_in_force(system: Kubectl, namespace: Kubectl) -> None:
    before = stored(system).issuer.issuing.certificate.subject
    write(system, {"tls.key": "bm8ga2V5"})
    eventually(lambda: warned(system, "Unfit", "data.tls.key"), "an Event")
    assert issuer_of_a_new_pod(namespace, "web") == before


def test_an_issuer_near_its_end_is_renewed_with_the_roots_key(system: Kubectl, namespace: Kubectl) -> None:
    (root,) = stored_roots(system.json("secret", "proa-ca-root"))
    old = ends_in(20, root)
    written(system, Material(old, (root.issuing.certificate,)))
    renewed = eventually(
        lambda: stored(system).issuer.issuing if stored(system).issuer.issuing != old.issuing else None,
        "the next issuer",
    )
    assert renewed.validity.not_after > datetime.now(UTC) + timedelta(days=89)
    eventually(lambda: warned(system, "InForce", str(stored(system))), "all replicas to follow")
    assert issuer_of_a_new_pod(namespace, "web") == renewed.certificate.subject


@pytest.fixture
def upstream(mesh: Mesh, system: Kubectl, cert_manager: None) -> Iterator[x509.Certificate]:
    """The root of an Issuer of cert-manager's, whom the authority's configuration names."""
    del cert_manager
    asked = {"upstream": {"kind": "cert-manager", "issuer": UPSTREAM}}
    try:
        with mesh.opened(asked, "role/proa-ca-upstream", "rolebinding/proa-ca-upstream"):
            system.apply(*authority_of_cert_manager())
            made = eventually(
                lambda: system("get", "secret", UPSTREAM, "--ignore-not-found", r"--output=jsonpath={.data.tls\.crt}"),
                "cert-manager's root",
            )
            yield x509.load_pem_x509_certificate(b64decode(made))
    finally:
        for each in authority_of_cert_manager():
            system("delete", f"{each['kind']}.cert-manager.io", each["metadata"]["name"], "--ignore-not-found")
        system("delete", "secret", UPSTREAM, "--ignore-not-found")


def authority_of_cert_manager() -> list[dict[str, Any]]:
    def made(kind: str, name: str, spec: Any) -> dict[str, Any]:
        return {"apiVersion": "cert-manager.io/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}

    root = {"isCA": True, "commonName": UPSTREAM, "secretName": UPSTREAM, "duration": "87600h"}
    key = {"algorithm": "ECDSA", "size": 384}
    return [
        made("Issuer", f"{UPSTREAM}-itself", {"selfSigned": {}}),
        made("Certificate", UPSTREAM, {**root, "privateKey": key, "issuerRef": {"name": f"{UPSTREAM}-itself"}}),
        made("Issuer", UPSTREAM, {"ca": {"secretName": UPSTREAM}}),
    ]


def test_cert_manager_signs_the_next_issuer_once_its_root_is_trusted_and_the_key_stays_here(
    system: Kubectl, namespace: Kubectl, upstream: x509.Certificate
) -> None:
    (root,) = stored_roots(system.json("secret", "proa-ca-root"))
    old = ends_in(20, root)
    written(system, Material(old, (root.issuing.certificate,)))
    eventually(lambda: warned(system, "RenewalFailed", "add it to ca.crt"), "that another root is refused")
    assert stored(system).issuer == old
    asked = b64decode(system.json("secret", "proa-ca-request")["data"]["request.pem"])
    written(system, Material(old, (root.issuing.certificate, upstream)))
    material = eventually(lambda: stored(system) if stored(system).root == upstream else None, "the next issuer")
    assert material.issuer.key.public_key() == x509.load_pem_x509_csr(asked).public_key()
    assert faults(material.issuer.issuing.certificate) == ()
    assert material.issuer.issuing.validity.not_after > datetime.now(UTC) + timedelta(days=89)
    eventually(lambda: warned(system, "InForce", str(material)), "all replicas to follow")
    assert issuer_of_a_new_pod(namespace, "web") == material.issuer.issuing.certificate.subject
    eventually(lambda: not asks(system), "the end of what was asked")


def asks(system: Kubectl) -> bool:
    """Whether a key waits, or a request of ours for it."""
    requests = system("get", "certificaterequests.cert-manager.io", "--output=name")
    return "/proa-ca-" in requests or bool(system("get", "secret", "proa-ca-request", "--ignore-not-found"))


def test_an_admin_brings_an_issuer_and_a_root_of_their_own(mesh: Mesh, system: Kubectl, namespace: Kubectl) -> None:
    """With the former root beside the new one, so that nobody loses trust meanwhile."""
    former, root = stored(system), new_root(DOMAIN, datetime.now(UTC))
    own = Material(new_intermediate(DOMAIN, root, datetime.now(UTC)), (root.issuing.certificate, former.root))
    written(system, own)
    eventually(lambda: warned(system, "InForce", str(own)), "the new issuer")
    assert issuer_of_a_new_pod(namespace, "web") == own.issuer.issuing.certificate.subject

    def published() -> list[x509.Certificate]:
        return x509.load_pem_x509_certificates(mesh.kubectl.json(*BUNDLE)["spec"]["trustBundle"].encode())

    eventually(lambda: published() == list(own.roots), "both roots")
