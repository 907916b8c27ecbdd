"""`proa ca csr` and `install-chain`: an issuer's request, signed by OpenSSL with a root that is offline, in force."""

import subprocess
from base64 import b64decode
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from ca.authority import CertificateAuthority, new_root
from ca.certificates import pem
from ca.csr import stub_request
from ca.lint import faults
from ca.material import Issuer
from ca.phases import Record, Settling, recorded
from ca.profile import WorkloadLeaf
from ca.randomness import new_key
from ca.root_secret import stored_roots
from cli.__main__ import main
from kube.resources import SECRETS
from proa.identity import TrustDomain, WorkloadIdentity
from support.rotated import Cluster

DOMAIN = TrustDomain("cluster.local")
CONFIGURATION: Any = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "proa", "namespace": "proa-system"},
    "data": {"mesh.yaml": "{}"},
}
SIGNED = "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n"


@pytest.fixture
def cluster() -> Cluster:
    found = Cluster(now=datetime.now(UTC))
    found.etcd.put(CONFIGURATION)
    return found


def proa(config: str, *arguments: str, stdin: str = "") -> Result:
    return CliRunner().invoke(main, ["ca", *arguments, "--kubeconfig", config], input=stdin)


def signed(request: str, root: Issuer, place: Path) -> str:
    """By OpenSSL, as the page says."""
    key: Any = root.key
    (place / "root.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (place / "root.crt").write_text(pem(root.issuing.certificate))
    (place / "more").write_text(SIGNED)
    command = ["openssl", "x509", "-req", "-CA", "root.crt", "-CAkey", "root.key", "-days", "90"]
    command += ["-copy_extensions", "copyall", "-extfile", "more"]
    done = subprocess.run(command, input=request, cwd=place, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def offline_root(cluster: Cluster) -> Issuer:
    """The root's key, taken out of the cluster."""
    (root,) = stored_roots(cluster.etcd.get(SECRETS, "proa-ca-root", "proa-system"))
    del cluster.etcd.objects["/api/v1/namespaces/proa-system/secrets/proa-ca-root"]
    return root


def waiting(cluster: Cluster) -> Any:
    return cluster.etcd.objects.get("/api/v1/namespaces/proa-system/secrets/proa-ca-request")


def requested(config: str) -> str:
    result = proa(config, "csr")
    assert result.exit_code == 0, result.output
    return result.stdout


def test_an_issuer_that_an_offline_root_signed_comes_into_force(cluster: Cluster, config: str, tmp_path: Path) -> None:
    root, former = offline_root(cluster), cluster.material
    request = requested(config)
    assert x509.load_pem_x509_csr(request.encode()).is_signature_valid
    assert cluster.material == former
    result = proa(config, "install-chain", "-", stdin=signed(request, root, tmp_path))
    assert result.exit_code == 0, result.output
    assert "The issuer is" in result.stdout
    material = cluster.material
    assert material != former
    assert (material.roots, faults(material.issuer.issuing.certificate)) == (former.roots, ())
    leaf = CertificateAuthority(material.issuer, material.roots, lambda: datetime.now(UTC)).sign(
        stub_request(new_key()), WorkloadLeaf(WorkloadIdentity(DOMAIN, "shop", "web"))
    )
    assert len(leaf.intermediates) == 1
    assert waiting(cluster) is None


def test_the_first_issuer_brings_its_root_along(cluster: Cluster, config: str, tmp_path: Path) -> None:
    cluster.etcd.objects = {}
    cluster.etcd.put(CONFIGURATION)
    root = new_root(DOMAIN, datetime.now(UTC))
    chain = signed(requested(config), root, tmp_path) + pem(root.issuing.certificate)
    (tmp_path / "chain.pem").write_text(chain)
    result = proa(config, "install-chain", str(tmp_path / "chain.pem"))
    assert result.exit_code == 0, result.output
    assert cluster.material.roots == (root.issuing.certificate,)


def test_a_root_that_no_pod_trusts_is_refused_and_the_key_still_waits(
    cluster: Cluster, config: str, tmp_path: Path
) -> None:
    before = cluster.material
    stranger = new_root(DOMAIN, datetime.now(UTC))
    chain = signed(requested(config), stranger, tmp_path) + pem(stranger.issuing.certificate)
    result = proa(config, "install-chain", "-", stdin=chain)
    assert result.exit_code == 2
    assert "one that pods trust" in result.stderr
    assert cluster.material == before
    assert waiting(cluster)


def test_where_pods_trust_another_root_the_first_issuer_is_refused_too(
    cluster: Cluster, config: str, tmp_path: Path
) -> None:
    del cluster.etcd.objects["/api/v1/namespaces/proa-system/secrets/proa-ca"]
    stranger = new_root(DOMAIN, datetime.now(UTC))
    chain = signed(requested(config), stranger, tmp_path) + pem(stranger.issuing.certificate)
    result = proa(config, "install-chain", "-", stdin=chain)
    assert (result.exit_code, "another than pods trust" in result.stderr) == (2, True)


def test_a_certificate_for_another_key_is_refused(cluster: Cluster, config: str, tmp_path: Path) -> None:
    root = offline_root(cluster)
    other = signed(requested(config), root, tmp_path)
    del cluster.etcd.objects["/api/v1/namespaces/proa-system/secrets/proa-ca-request"]
    requested(config)
    result = proa(config, "install-chain", "-", stdin=other)
    assert (result.exit_code, "the key of another certificate" in result.stderr) == (2, True)


def test_a_request_that_waits_is_not_written_over(cluster: Cluster, config: str) -> None:
    requested(config)
    before = waiting(cluster)
    result = proa(config, "csr")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "another that waits for its answer" in result.stderr
    assert waiting(cluster) == before


def test_the_request_shows_no_key_and_the_secret_holds_the_one_it_is_for(cluster: Cluster, config: str) -> None:
    request = requested(config)
    assert "PRIVATE" not in request
    assert b64decode(waiting(cluster)["data"]["request.pem"]).decode() == request


def test_nothing_is_installed_without_a_request_or_in_the_middle_of_a_rotation(
    cluster: Cluster, config: str, tmp_path: Path
) -> None:
    (root,) = stored_roots(cluster.etcd.get(SECRETS, "proa-ca-root", "proa-system"))
    assert (
        "the one that `proa ca csr` makes"
        in proa(config, "install-chain", "-", stdin=pem(cluster.material.root)).stderr
    )
    chain = signed(requested(config), root, tmp_path)
    secret = recorded(cluster.secret, Record(phase=Settling("x", timedelta(0), datetime.now(UTC))))
    cluster.etcd.put(secret)
    result = proa(config, "install-chain", "-", stdin=chain)
    assert (result.exit_code, "none that is under way" in result.stderr) == (2, True)
