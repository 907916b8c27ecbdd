"""OpenSSL's own opinion of what we issue: it verifies strictly, it shakes hands both ways, it refuses strangers."""

import re
import select
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from ca.authority import CertificateAuthority, self_signed_authority
from ca.bundle import credential_bundle
from ca.certificates import Chain, pem
from ca.csr import stub_request
from ca.lint import faults
from ca.profile import LeafContents, ServingLeaf, WorkloadLeaf
from proa.identity import TrustDomain, WorkloadIdentity
from support.issuers import KINDS, material

PATIENCE = 60.0
"""Seconds that any OpenSSL process may take before the test fails."""


@dataclass(frozen=True)
class Credential:
    """A credential as files, because OpenSSL's programs read nothing else."""

    chain: Chain
    leaf: Path
    intermediates: Path
    key: Path
    roots: Path

    @property
    def arguments(self) -> list[str]:
        return ["-cert", str(self.leaf), "-key", str(self.key), "-cert_chain", str(self.intermediates)]


def written(
    directory: Path, authority: CertificateAuthority, contents: LeafContents, key: Any = None, name: str = "workload"
) -> Credential:
    key = key or ec.generate_private_key(ec.SECP256R1())
    chain = authority.sign(stub_request(key), contents)
    place = directory / name
    place.mkdir()
    files = Credential(chain, *(place / file for file in ("leaf.pem", "intermediates.pem", "key.pem", "roots.pem")))
    files.leaf.write_text(pem(chain.leaf))
    files.intermediates.write_text(pem(*chain.intermediates))
    files.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    files.roots.write_text(authority.trust_bundle)
    return files


def openssl(*arguments: str | Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["openssl", *map(str, arguments)], input=stdin, capture_output=True, text=True, timeout=PATIENCE, check=False
    )


def verified(files: Credential, purpose: str, at: float) -> subprocess.CompletedProcess[str]:
    strict = ("-x509_strict", "-purpose", purpose, "-attime", str(int(at)))
    trust = ("-CAfile", files.roots, "-no-CApath", "-no-CAstore", "-untrusted", files.intermediates)
    return openssl("verify", *strict, *trust, files.leaf)


@contextmanager
def server(files: Credential, at: float) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """An OpenSSL server for one connection that demands a client certificate; its address once it listens."""
    demands = ["-Verify", "3", "-verify_return_error", "-CAfile", str(files.roots), "-attime", str(int(at))]
    command = ["openssl", "s_server", "-accept", "127.0.0.1:0", "-naccept", "1", *demands, *files.arguments]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.STDOUT, bufsize=0) as process:
        try:
            yield _address(process), process
        finally:
            process.kill()


def _address(process: subprocess.Popen[bytes]) -> str:
    """Read unbuffered, or a line already read would make `select` wait for the next."""
    assert process.stdout
    for _ in range(20):
        ready, _, _ = select.select([process.stdout], [], [], PATIENCE)
        line = process.stdout.readline() if ready else b""
        if line.startswith(b"ACCEPT "):
            return line.split()[1].decode()
        if not line:
            break
    pytest.fail("the OpenSSL server did not listen")


def handshake(ours: Credential, theirs: Credential, at: float) -> tuple[str, str]:
    """What the client and the server print about one mutual TLS connection; each trusts its own roots only."""
    with server(theirs, at) as (address, process):
        trust = ["-CAfile", str(ours.roots), "-verify_return_error", "-attime", str(int(at))]
        client = openssl("s_client", "-connect", address, *trust, *ours.arguments, stdin="Q\n")
        printed, _ = process.communicate(timeout=PATIENCE)
    return client.stdout + client.stderr, printed.decode()


def identity_of_peer(printed: str) -> list[str]:
    match = re.search(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", printed, re.DOTALL)
    assert match, printed
    names = x509.load_pem_x509_certificate(match[0].encode()).extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    )
    return names.value.get_values_for_type(x509.UniformResourceIdentifier)


@pytest.fixture
def workload(tmp_path: Path, authority: CertificateAuthority, identity: WorkloadIdentity) -> Credential:
    return written(tmp_path, authority, WorkloadLeaf(identity))


@pytest.mark.parametrize("purpose", ["sslserver", "sslclient"])
def test_a_workload_chain_verifies_in_strict_mode_for_both_sides(
    workload: Credential, purpose: str, clock: Any
) -> None:
    found = verified(workload, purpose, clock.now.timestamp())
    assert found.returncode == 0, found.stderr


@pytest.mark.parametrize("bits", [2048, 4096])
def test_a_workload_with_an_rsa_key_verifies_in_strict_mode(
    tmp_path: Path, authority: CertificateAuthority, identity: WorkloadIdentity, clock: Any, bits: int
) -> None:
    files = written(tmp_path, authority, WorkloadLeaf(identity), rsa.generate_private_key(65537, bits))
    assert verified(files, "sslserver", clock.now.timestamp()).returncode == 0


@pytest.mark.parametrize("kind", KINDS)
def test_a_chain_whose_issuers_have_other_keys_verifies_in_strict_mode(
    tmp_path: Path, trust_domain: TrustDomain, identity: WorkloadIdentity, clock: Any, kind: str
) -> None:
    made = material(kind, trust_domain, clock)
    files = written(tmp_path, CertificateAuthority(made.issuer, made.roots, clock), WorkloadLeaf(identity))
    for purpose in ("sslserver", "sslclient"):
        found = verified(files, purpose, clock.now.timestamp())
        assert found.returncode == 0, found.stderr
    assert all(faults(each) == () for each in (*made.issuer.certificates, *made.roots))


def test_a_serving_chain_verifies_for_a_server_by_name_and_not_for_a_client(
    tmp_path: Path, authority: CertificateAuthority, clock: Any
) -> None:
    files = written(tmp_path, authority, ServingLeaf(("proa-webhook.proa-system.svc",)))
    assert verified(files, "sslserver", clock.now.timestamp()).returncode == 0
    assert verified(files, "sslclient", clock.now.timestamp()).returncode != 0
    named = ("-verify_hostname", "proa-webhook.proa-system.svc", "-attime", str(int(clock.now.timestamp())))
    trust = ("-CAfile", files.roots, "-untrusted", files.intermediates)
    assert openssl("verify", *named, *trust, files.leaf).returncode == 0


def test_a_chain_does_not_verify_before_its_time_nor_after_it(workload: Credential) -> None:
    begin, end = workload.chain.not_before.timestamp(), workload.chain.not_after.timestamp()
    assert verified(workload, "sslserver", begin).returncode == 0
    assert verified(workload, "sslserver", end - 1).returncode == 0
    assert "not yet valid" in verified(workload, "sslserver", begin - 1).stderr
    assert "has expired" in verified(workload, "sslserver", end + 1).stderr


def test_a_leaf_cannot_issue_another_certificate(tmp_path: Path, workload: Credential, clock: Any) -> None:
    """The leaf's key signs a certificate of its own: OpenSSL must not follow."""
    request, forged = tmp_path / "forged.csr", tmp_path / "forged.pem"
    made = openssl("req", "-new", "-key", workload.key, "-subj", "/CN=forged", "-out", request)
    assert made.returncode == 0, made.stderr
    signed = openssl("x509", "-req", "-in", request, "-CA", workload.leaf, "-CAkey", workload.key, "-out", forged)
    assert signed.returncode == 0, signed.stderr
    untrusted = tmp_path / "untrusted.pem"
    untrusted.write_text(workload.chain.pem)
    at = ("-attime", str(int((clock.now + timedelta(minutes=1)).timestamp())))
    found = openssl("verify", *at, "-CAfile", workload.roots, "-untrusted", untrusted, forged)
    assert found.returncode != 0
    assert "invalid CA certificate" in found.stderr


def test_two_workloads_shake_hands_and_each_sees_who_the_other_is(
    tmp_path: Path, workload: Credential, authority: CertificateAuthority, trust_domain: TrustDomain, clock: Any
) -> None:
    caller = WorkloadIdentity(trust_domain, "shop", "client")
    ours = written(tmp_path, authority, WorkloadLeaf(caller), name="client")
    client_saw, server_saw = handshake(ours, workload, clock.now.timestamp())
    assert "Verify return code: 0 (ok)" in client_saw
    assert "verify error" not in server_saw
    assert identity_of_peer(client_saw) == ["spiffe://cluster.local/ns/shop/sa/web"]
    assert identity_of_peer(server_saw) == ["spiffe://cluster.local/ns/shop/sa/client"]


@pytest.fixture
def stranger(tmp_path: Path, trust_domain: TrustDomain, clock: Any) -> Credential:
    """The same names, of an authority with the same trust domain and other keys, who trusts everybody's roots."""
    other = self_signed_authority(trust_domain, clock)
    return written(tmp_path, other, WorkloadLeaf(WorkloadIdentity(trust_domain, "shop", "web")), name="stranger")


def test_a_client_refuses_a_server_of_another_authority(workload: Credential, stranger: Credential, clock: Any) -> None:
    client_saw, _ = handshake(workload, stranger, clock.now.timestamp())
    assert "verify error" in client_saw
    assert "Verify return code: 0 (ok)" not in client_saw


def test_a_server_refuses_a_client_of_another_authority(workload: Credential, stranger: Credential, clock: Any) -> None:
    stranger.roots.write_text(stranger.roots.read_text() + workload.roots.read_text())
    _, server_saw = handshake(stranger, workload, clock.now.timestamp())
    assert "verify error" in server_saw
    assert "certificate verify failed" in server_saw


def test_a_workload_leaf_reads_as_the_profile_promises(workload: Credential) -> None:
    text = openssl("x509", "-in", workload.leaf, "-noout", "-text").stdout
    flat = re.sub(r"\s+", " ", text)
    for fact in (
        "Version: 3 (0x2)",
        "Signature Algorithm: ecdsa-with-SHA256",
        "Not Before: Mar 1 11:59:00 2026 GMT Not After : Mar 2 11:59:00 2026 GMT",
        "Subject: Subject Public Key Info",
        "NIST CURVE: P-256",
        "X509v3 Basic Constraints: critical CA:FALSE",
        "X509v3 Key Usage: critical Digital Signature X509v3",
        "X509v3 Extended Key Usage: TLS Web Server Authentication, TLS Web Client Authentication",
        "X509v3 Subject Alternative Name: critical URI:spiffe://cluster.local/ns/shop/sa/web",
    ):
        assert fact in flat


def test_root_and_intermediate_read_as_the_profile_promises(workload: Credential) -> None:
    root, intermediate = (
        re.sub(r"\s+", " ", openssl("x509", "-in", file, "-noout", "-text").stdout)
        for file in (workload.roots, workload.intermediates)
    )
    for text, path_length in ((root, 1), (intermediate, 0)):
        assert f"X509v3 Basic Constraints: critical CA:TRUE, pathlen:{path_length}" in text
        assert "X509v3 Key Usage: critical Certificate Sign, CRL Sign X509v3" in text
    (identifier,) = re.findall(r"Subject Key Identifier: ([0-9A-F:]+)", root)
    assert f"X509v3 Authority Key Identifier: {identifier}" in intermediate


def test_openssl_reads_the_credential_bundle_as_key_and_as_chain(
    tmp_path: Path, authority: CertificateAuthority, identity: WorkloadIdentity
) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    file = tmp_path / "credential-bundle.pem"
    file.write_text(credential_bundle(key, authority.sign(stub_request(key), WorkloadLeaf(identity))))
    from_key = openssl("pkey", "-in", file, "-pubout").stdout
    from_leaf = openssl("x509", "-in", file, "-noout", "-pubkey").stdout
    assert from_key == from_leaf != ""
