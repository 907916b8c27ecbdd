"""`proa ca revoke` and what `status` says of it, on an API server's store, with a leader that looks."""

import json
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from ca.certificates import pem
from cli.__main__ import main
from kube.resources import SECRETS
from support import leading
from support.revoked import Revoking

DOCUMENT = "authority: {roots: {kind: config-maps, revocation: crl}}"
REQUEST = {"apiVersion": "certificates.k8s.io/v1", "kind": "PodCertificateRequest"}


@pytest.fixture
def cluster() -> Revoking:
    cluster = Revoking(now=datetime.now(UTC))
    configuration = {"metadata": {"name": "proa", "namespace": "proa-system"}, "data": {"mesh.yaml": DOCUMENT}}
    cluster.etcd.put({"apiVersion": "v1", "kind": "ConfigMap", **configuration})
    cluster.deliver(0)
    return cluster


def led(cluster: Revoking) -> AbstractContextManager[None]:
    """A leader that signs a CRL as soon as somebody is revoked."""
    return leading.led(cluster.etcd.turn, lambda: cluster.register.revoked, cluster.tend)


def proa(config: str, *arguments: str, stdin: str = "") -> Result:
    return CliRunner().invoke(main, ["ca", arguments[0], "--kubeconfig", config, *arguments[1:]], input=stdin)


def status(config: str) -> Any:
    result = proa(config, "status", "-o", "json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)["revocation"]


def serial(cluster: Revoking) -> str:
    return f"{cluster.pods[0].chain.serial:x}"


def listed(cluster: Revoking) -> list[str]:
    return [f"{each.serial_number:x}" for crl in cluster.register.crls for each in crl]


def test_a_file_a_serial_number_or_standard_input_is_on_the_crl_when_it_says_so(
    cluster: Revoking, config: str, tmp_path: Path
) -> None:
    file = tmp_path / "leaf.pem"
    file.write_text(cluster.pods[0].chain.pem)
    with led(cluster):
        result = proa(config, "revoke", str(file), "--yes")
        assert result.exit_code == 0, result.output
        assert f"{serial(cluster)} is on the CRL" in result.output
        assert listed(cluster) == [serial(cluster)]
        cluster.deliver(1)
        result = proa(config, "revoke", "-", "--yes", stdin=cluster.pods[1].chain.pem)
        assert result.exit_code == 0, result.output
        result = proa(config, "revoke", "1b" * 20, "--yes")
        assert result.exit_code == 0, result.output
        assert proa(config, "revoke", "ab" * 20, "--yes").exit_code == 2, "160 bits are no serial number"
    assert len(listed(cluster)) == 3
    assert status(config)["revoked"] == [f"{each.serial:x}" for each in cluster.register.revoked]


def test_of_a_pod_it_is_the_certificate_that_was_issued_last(cluster: Revoking, config: str) -> None:
    cluster.etcd.put({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web", "namespace": "shop"}})
    spec = {"podName": "web", "signerName": "proa.dev/workload"}
    for moment, chain in (("2026-03-01T10:00:00Z", ""), ("2026-03-01T11:00:00Z", cluster.pods[0].chain.pem)):
        metadata = {"name": f"web-{moment[12]}", "namespace": "shop", "creationTimestamp": moment}
        cluster.etcd.put({**REQUEST, "metadata": metadata, "spec": spec, "status": {"certificateChain": chain}})
    with led(cluster):
        result = proa(config, "revoke", "shop/web", "--yes")
    assert result.exit_code == 0, result.output
    assert listed(cluster) == [serial(cluster)]
    result = proa(config, "revoke", "shop/db", "--yes")
    assert result.exit_code == 2


def test_of_a_pod_whose_request_is_gone_it_says_how_to_ask_the_pod(cluster: Revoking, config: str) -> None:
    cluster.etcd.put({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web", "namespace": "shop"}})
    result = proa(config, "revoke", "web", "--namespace=shop", "--yes")
    assert result.exit_code == 2
    assert "proa ca revoke -" in result.output


def test_whoever_does_not_agree_revokes_nothing(cluster: Revoking, config: str) -> None:
    result = proa(config, "revoke", serial(cluster), stdin="n\n")
    assert result.exit_code == 1
    assert serial(cluster) in result.output
    assert cluster.register.revoked == ()


def test_an_issuer_is_not_revoked_but_rotated(cluster: Revoking, config: str) -> None:
    result = proa(config, "revoke", "-", "--yes", stdin=pem(*cluster.material.issuer.certificates))
    assert result.exit_code == 2
    assert "proa ca rotate" in result.output


def test_status_shows_each_issuers_crl_and_fails_where_one_is_late(cluster: Revoking, config: str) -> None:
    (only,) = status(config)["crls"]
    assert (only["role"], only["revoked"]) == ("issues", 0)
    text = proa(config, "status").output
    assert "Revoked: none." in text
    secret = cluster.etcd.get(SECRETS, "proa-ca-revocation", "proa-system")
    cluster.etcd.put({**secret, "data": {**secret["data"], "ca-crl.pem": ""}})
    result = proa(config, "status")
    assert result.exit_code == 1
    assert "has no CRL" in result.output


def test_status_says_nothing_of_crls_where_nobody_wants_them(cluster: Revoking, config: str) -> None:
    configuration = {"metadata": {"name": "proa", "namespace": "proa-system"}, "data": {"mesh.yaml": "{}"}}
    cluster.etcd.put({"apiVersion": "v1", "kind": "ConfigMap", **configuration})
    result = proa(config, "status", "-o", "json")
    assert "revocation" not in json.loads(result.stdout)
