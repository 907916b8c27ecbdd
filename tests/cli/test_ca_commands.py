"""`proa ca` on an API server's store: what it shows, what it asks of the leader, what it says of a certificate."""

import json
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from ca.authority import CertificateAuthority
from ca.bundle import credential_bundle
from ca.certificates import Chain, fingerprint, pem, printed
from ca.csr import stub_request
from ca.profile import WorkloadLeaf
from ca.root_secret import roots_secret, stored_roots
from ca.stored import renewed_secret
from cli.__main__ import main
from kube.resources import SECRETS
from proa.identity import TrustDomain, WorkloadIdentity
from support import leading
from support.rotated import Cluster

PODS = "/api/v1/namespaces/shop/pods"
REQUESTS = "/apis/certificates.k8s.io/v1/namespaces/shop/podcertificaterequests"
KEY = ec.generate_private_key(ec.SECP256R1())


@pytest.fixture
def cluster() -> Cluster:
    return Cluster(now=datetime.now(UTC))


def led(cluster: Cluster) -> AbstractContextManager[None]:
    """A leader that publishes and looks as soon as something is asked for."""

    def look() -> None:
        cluster.look()
        cluster.publish()
        cluster.look()

    return leading.led(cluster.etcd.turn, lambda: cluster.asked is not None, look)


def proa(*arguments: str, stdin: str = "") -> Result:
    return CliRunner().invoke(main, ["ca", *arguments], input=stdin)


def status(config: str, expected: int = 0) -> Any:
    result = proa("status", "--kubeconfig", config, "-o", "json")
    assert result.exit_code == expected, result.output
    return json.loads(result.stdout)


def issued(cluster: Cluster) -> str:
    material = cluster.material
    authority = CertificateAuthority(material.issuer, material.roots, cluster.clock)
    identity = WorkloadIdentity(TrustDomain("cluster.local"), "shop", "web")
    return authority.sign(stub_request(KEY), WorkloadLeaf(identity)).pem


def test_the_status_shows_issuer_and_root_and_when_the_root_is_rotated(cluster: Cluster, config: str) -> None:
    found = status(config)
    assert (found["ok"], found["phase"], found["problems"]) == (True, "resting", [])
    issuer, root = found["holdings"]
    assert (issuer["role"], root["role"]) == ("issuer", "root, issues")
    assert root["sha256"] == fingerprint(cluster.material.root)
    assert root["key_stored"]
    assert root["published"]
    told = proa("status", "--kubeconfig", config)
    assert "The root is rotated from " in told.stdout
    assert "in the cluster" in told.stdout


def test_roots_that_are_not_published_are_a_problem(cluster: Cluster, config: str) -> None:
    del cluster.etcd.objects["/apis/certificates.k8s.io/v1/clustertrustbundles/proa.dev:workload:v1"]
    assert "pods are not given every root" in status(config, expected=1)["problems"][0]


def test_an_issuer_that_nobody_renewed_is_a_problem(cluster: Cluster, config: str) -> None:
    old = Cluster(now=datetime.now(UTC) - timedelta(days=80))
    cluster.etcd.objects = old.etcd.objects
    assert "the issuing certificate ends at" in status(config, expected=1)["problems"][0]


def test_a_rotation_is_followed_from_its_start_to_its_end(cluster: Cluster, config: str) -> None:
    old = cluster.material.root
    with led(cluster):
        assert "The rotation is" in proa("rotate", "--kubeconfig", config).stdout
        assert status(config)["phase"] == "settling"
        assert "issues in 24 hours" in proa("status", "--kubeconfig", config).stdout
        refused = proa("rotate", "--kubeconfig", config)
        assert (refused.exit_code, refused.stdout) == (2, "")
        assert "none that is under way" in refused.stderr
        assert proa("rotate", "--advance", "--yes", "--kubeconfig", config).exit_code == 0
        assert status(config)["phase"] == "renewing"
        assert [each["role"] for each in status(config)["holdings"]] == ["issuer", "root, retiring", "root, issues"]
        assert proa("rotate", "--advance", "--yes", "--kubeconfig", config).exit_code == 0
    assert status(config)["phase"] == "resting"
    assert cluster.material.roots != (old,)


def test_a_rotation_is_given_up(cluster: Cluster, config: str) -> None:
    before = cluster.material
    with led(cluster):
        assert proa("rotate", "--settle", "600", "--kubeconfig", config).exit_code == 0
        assert proa("rotate", "--abort", "--kubeconfig", config).exit_code == 0
    assert cluster.material == before


def test_ending_a_wait_is_asked_about_first(cluster: Cluster, config: str) -> None:
    with led(cluster):
        assert proa("rotate", "--kubeconfig", config).exit_code == 0
        result = proa("rotate", "--advance", "--kubeconfig", config, stdin="n\n")
    assert "may fail in handshakes" in result.output
    assert result.exit_code == 1
    assert status(config)["phase"] == "settling"


def pod(cluster: Cluster, name: str, chain: str) -> None:
    """That asks us, and was given *chain* a moment ago."""
    source = {"podCertificate": {"signerName": "proa.dev/workload"}}
    meta = {"name": name, "namespace": "shop", "uid": name, "creationTimestamp": "2026-01-01T00:00:00Z"}
    spec = {"volumes": [{"projected": {"sources": [source]}}]}
    cluster.etcd.objects[f"{PODS}/{name}"] = {"metadata": meta, "spec": spec, "status": {"phase": "Running"}}
    if chain:
        cluster.etcd.objects[f"{REQUESTS}/of-{name}"] = {
            "metadata": {**meta, "name": f"of-{name}"},
            "spec": {"podUID": name, "signerName": "proa.dev/workload"},
            "status": {"certificateChain": chain},
        }


def test_who_still_has_a_certificate_of_the_former_root_is_said_before_it_goes(cluster: Cluster, config: str) -> None:
    pod(cluster, "late", issued(cluster))
    pod(cluster, "silent", "")
    with led(cluster):
        assert proa("rotate", "--kubeconfig", config).exit_code == 0
        settling = proa("rotate", "--advance", "--yes", "--kubeconfig", config)
        assert "former" not in settling.stdout.partition("The rotation is")[0]
        pod(cluster, "early", issued(cluster))
        asked = proa("rotate", "--advance", "--kubeconfig", config, stdin="n\n")
        assert asked.exit_code == 1
        before = asked.stdout.partition("may fail in handshakes")[0]
        assert "Certificates of the former root: 1 (pod shop/late)." in before
        assert "Of the next root: 1." in before
        assert "1 (pod shop/silent)" in before
        done = proa("rotate", "--advance", "--yes", "-o", "json", "--kubeconfig", config)
    found = json.loads(done.stdout)
    assert (found["phase"], found["holders"]["former"]) == ("resting", ["pod shop/late"])
    assert (found["holders"]["unknown"], found["holders"]["following"]) == (["pod shop/silent"], 1)


@pytest.mark.parametrize(("flag", "words"), [("--abort", "no rotation"), ("--advance", "the phase resting")])
def test_there_is_nothing_to_end(config: str, flag: str, words: str) -> None:
    result = proa("rotate", flag, "--yes", "--kubeconfig", config)
    assert result.exit_code == 2
    assert words in result.stderr


def test_a_root_whose_key_is_elsewhere_is_not_rotated(cluster: Cluster, config: str) -> None:
    del cluster.etcd.objects["/api/v1/namespaces/proa-system/secrets/proa-ca-root"]
    result = proa("rotate", "--kubeconfig", config)
    assert result.exit_code == 2
    assert "add the next root to ca.crt" in result.stderr
    assert not status(config)["holdings"][1]["key_stored"]


def test_what_the_leader_declines_is_said_with_where_it_says_why(cluster: Cluster, config: str) -> None:
    with led(cluster):
        assert proa("rotate", "--kubeconfig", config).exit_code == 0
        assert proa("rotate", "--advance", "--yes", "--kubeconfig", config).exit_code == 0
        # The former root's key is gone, so that it cannot issue again.
        secret = cluster.etcd.get(SECRETS, "proa-ca-root", "proa-system")
        (newer,) = [each for each in stored_roots(secret) if each.issuing.certificate == cluster.material.root]
        cluster.etcd.put(renewed_secret(secret, roots_secret((newer,))))
        result = proa("rotate", "--abort", "--kubeconfig", config)
    assert result.exit_code == 2
    assert "declined; the rotation is renewing still" in result.stderr
    assert "reason=RotationDeclined" in result.stderr


def test_a_file_that_is_not_there_is_no_pod() -> None:
    result = proa("inspect", "./nowhere.pem")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "FILE: found 'No such file or directory'" in result.stderr


@pytest.mark.parametrize("arguments", [("--abort", "--advance"), ("--settle", "600", "--abort"), ("--settle", "10")])
def test_contradictory_or_too_hasty_wishes_are_refused(config: str, arguments: tuple[str, ...]) -> None:
    assert proa("rotate", *arguments, "--kubeconfig", config).exit_code == 2


def test_a_file_is_examined_without_a_cluster(cluster: Cluster, tmp_path: Path) -> None:
    (tmp_path / "chain.pem").write_text(issued(cluster))
    (tmp_path / "roots.pem").write_text(pem(*cluster.published))
    result = proa("inspect", str(tmp_path / "chain.pem"), "--roots", str(tmp_path / "roots.pem"))
    assert result.exit_code == 0, result.output
    assert "whoever holds its key is 'spiffe://cluster.local/ns/shop/sa/web'" in result.stdout
    assert "A peer that trusts the roots of" in result.stdout


def test_what_is_wrong_with_a_file_is_said_and_the_status_is_1(cluster: Cluster) -> None:
    chain = x509.load_pem_x509_certificates(issued(cluster).encode())
    other = ec.generate_private_key(ec.SECP256R1())
    spoilt = credential_bundle(other, Chain(printed(chain[0]), tuple(map(printed, chain[1:]))))
    result = proa("inspect", "-", stdin=spoilt)
    assert result.exit_code == 1
    assert "PROBLEM the private key in the file is another certificate's" in result.stdout
    found = json.loads(proa("inspect", "-", "-o", "json", stdin=spoilt).stdout)
    assert not found["ok"]
    assert "PRIVATE" not in json.dumps(found)


def test_a_pods_certificate_is_found_by_its_request(cluster: Cluster, config: str) -> None:
    cluster.etcd.objects[f"{PODS}/web"] = {"metadata": {"name": "web", "namespace": "shop"}}
    result = proa("inspect", "shop/web", "--kubeconfig", config)
    assert result.exit_code == 2
    assert "proa ca inspect -" in result.stderr
    spec = {"podName": "web", "signerName": "proa.dev/workload"}
    for name, made, chain in (("old", "2026-01-01T00:00:00Z", ""), ("new", "2026-01-01T00:10:00Z", issued(cluster))):
        meta = {"name": name, "creationTimestamp": made}
        cluster.etcd.objects[f"{REQUESTS}/{name}"] = {
            "metadata": meta,
            "spec": spec,
            "status": {"certificateChain": chain},
        }
    result = proa("inspect", "web", "-n", "shop", "--kubeconfig", config)
    assert result.exit_code == 0, result.output
    assert "A peer that trusts the roots that the cluster publishes takes it." in result.stdout


def test_a_pod_that_was_denied_is_told_why(cluster: Cluster, config: str) -> None:
    cluster.etcd.objects[f"{PODS}/web"] = {"metadata": {"name": "web", "namespace": "shop"}}
    denied = {"type": "Denied", "reason": "NodeMismatch", "message": "the pod runs elsewhere"}
    cluster.etcd.objects[f"{REQUESTS}/one"] = {
        "metadata": {"name": "one", "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {"podName": "web", "signerName": "proa.dev/workload"},
        "status": {"conditions": [denied]},
    }
    result = proa("inspect", "shop/web", "--kubeconfig", config)
    assert result.exit_code == 2
    assert "Denied, NodeMismatch: the pod runs elsewhere" in result.stderr


def test_the_roots_are_exported_as_pem_and_as_a_spiffe_bundle(cluster: Cluster, config: str) -> None:
    exported = proa("export-bundle", "--kubeconfig", config)
    assert x509.load_pem_x509_certificates(exported.stdout.encode()) == list(cluster.published)
    (key,) = json.loads(proa("export-bundle", "-o", "spiffe", "--kubeconfig", config).stdout)["keys"]
    assert (key["kty"], key["crv"], key["use"], len(key["x5c"])) == ("EC", "P-256", "x509-svid", 1)
