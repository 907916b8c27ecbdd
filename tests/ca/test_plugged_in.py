"""An admin's own issuer in Istio's layout, made by OpenSSL as Istio's certificate tools make it, goes on issuing."""

import subprocess
from base64 import b64encode
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from ca.authority import CertificateAuthority
from ca.certificates import pem
from ca.lint import faults
from ca.material import Material
from ca.profile import WorkloadLeaf
from ca.selftest import failure, self_test
from ca.stored import material_secret, renewed_secret, stored_material
from ca.succession import Adopt, Seen, seen, succession
from proa.errors import Refused
from proa.identity import TrustDomain, WorkloadIdentity

ROOT = """[req]
distinguished_name = dn
prompt = no
x509_extensions = v3
[v3]
subjectKeyIdentifier = hash
basicConstraints = critical, CA:true
keyUsage = critical, digitalSignature, nonRepudiation, keyEncipherment, keyCertSign
[dn]
O = Istio
CN = Root CA
"""
INTERMEDIATE = """[req]
distinguished_name = dn
prompt = no
[v3]
subjectKeyIdentifier = hash
basicConstraints = critical, CA:true, pathlen:0
keyUsage = critical, digitalSignature, nonRepudiation, keyEncipherment, keyCertSign
subjectAltName = DNS:istiod.istio-system.svc
[dn]
O = Istio
CN = Intermediate CA
L = cluster1
"""
KEYS = {
    "rsa": "-algorithm RSA -pkeyopt rsa_keygen_bits:4096",
    "p384": "-algorithm EC -pkeyopt ec_paramgen_curve:P-384",
}


def openssl(directory: Path, command: str) -> None:
    subprocess.run(["openssl", *command.split()], cwd=directory, check=True, capture_output=True, timeout=60)


@pytest.fixture(scope="module", params=KEYS)
def files(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What `kubectl create secret --from-file` would take."""
    place = tmp_path_factory.mktemp(request.param)
    (place / "root.conf").write_text(ROOT)
    (place / "ca.conf").write_text(INTERMEDIATE)
    for name in ("root", "ca"):
        openssl(place, f"genpkey {KEYS[request.param]} -out {name}-key.pem")
    openssl(place, "req -x509 -new -sha256 -days 3650 -key root-key.pem -config root.conf -out root-cert.pem")
    openssl(place, "req -new -sha256 -key ca-key.pem -config ca.conf -out ca.csr")
    signed = "x509 -req -sha256 -days 730 -in ca.csr -CA root-cert.pem -CAkey root-key.pem -CAcreateserial"
    openssl(place, f"{signed} -extfile ca.conf -extensions v3 -out ca-cert.pem")
    both = (place / "ca-cert.pem").read_bytes() + (place / "root-cert.pem").read_bytes()
    read = {name: (place / name).read_bytes() for name in ("ca-cert.pem", "ca-key.pem", "root-cert.pem")}
    return {**read, "cert-chain.pem": both, "root-key.pem": (place / "root-key.pem").read_bytes()}


def secret(files: dict[str, bytes], **changed: bytes | None) -> Any:
    wanted = {name: content for name, content in files.items() if name != "root-key.pem"}
    wanted |= {f"{name.replace('_', '-')}.pem": content for name, content in changed.items()}  # type: ignore[misc]
    data = {name: b64encode(content).decode() for name, content in wanted.items() if content is not None}
    return {"metadata": {"name": "proa-ca", "namespace": "proa-system"}, "data": data}


def now() -> datetime:
    return datetime.now(UTC)


def authority(material: Material) -> CertificateAuthority:
    return CertificateAuthority(material.issuer, material.roots, now)


def test_what_istios_tools_make_issues_leaves_that_verify(files: dict[str, bytes], csr: bytes, tmp_path: Path) -> None:
    material = stored_material(secret(files))
    assert failure(self_test(), authority(material), TrustDomain("cluster.local")) == ""
    chain = authority(material).sign(csr, WorkloadLeaf(WorkloadIdentity(TrustDomain("cluster.local"), "shop", "web")))
    assert faults(chain.leaf) == ()
    assert len(chain.intermediates) == 1
    (tmp_path / "leaf.pem").write_text(pem(chain.leaf))
    (tmp_path / "above.pem").write_text(pem(*chain.intermediates))
    (tmp_path / "root.pem").write_bytes(files["root-cert.pem"])
    openssl(tmp_path, "verify -purpose sslclient -CAfile root.pem -no-CApath -untrusted above.pem leaf.pem")


def test_the_authority_key_identifier_is_the_issuers_own(files: dict[str, bytes], csr: bytes) -> None:
    material = stored_material(secret(files))
    identity = WorkloadIdentity(TrustDomain("cluster.local"), "shop", "web")
    leaf = authority(material).sign(csr, WorkloadLeaf(identity)).leaf
    pointer = leaf.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
    issuer = material.issuer.issuing.certificate
    assert pointer == issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest


def test_a_root_that_issues_by_itself_needs_no_chain(files: dict[str, bytes]) -> None:
    alone = secret(files, ca_cert=files["root-cert.pem"], ca_key=files["root-key.pem"], cert_chain=b"")
    material = stored_material(alone)
    assert material.issuer.issuing.certificate == material.root


def test_it_comes_into_force_without_a_restart(files: dict[str, bytes], authority: Any, clock: Any) -> None:
    current = Material(authority.issuer, authority.roots)
    found = seen(secret(files))
    assert isinstance(found, Seen)
    assert isinstance(succession(current, found, lambda _: "", clock()), Adopt)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"ca_cert": None}, "data.ca-cert.pem: found nothing, allowed: certificates in PEM"),
        ({"ca_key": None}, "data.ca-key.pem: found nothing, allowed: an unencrypted private key"),
        ({"root_cert": None}, "data.root-cert.pem: found nothing, allowed: certificates in PEM"),
        ({"cert_chain": b"no certificate"}, "data.cert-chain.pem: found 14 bytes that are none"),
        ({"ca_key": b"-----BEGIN RSA PRIVATE KEY-----"}, "data.ca-key.pem: found 31 bytes that are none"),
    ],
)
def test_what_lacks_or_cannot_be_read_is_named_by_its_file(
    files: dict[str, bytes], changed: dict[str, bytes | None], words: str
) -> None:
    with pytest.raises(Refused) as caught:
        stored_material(secret(files, **changed))
    assert words in str(caught.value)


def test_the_key_of_the_root_is_not_taken_for_the_issuers(files: dict[str, bytes]) -> None:
    with pytest.raises(Refused, match=r"data\.ca-cert\.pem\.key: found the key of another certificate"):
        stored_material(secret(files, ca_key=files["root-key.pem"]))


def test_both_layouts_at_once_are_refused_as_nobody_could_say_which_counts(
    files: dict[str, bytes], authority: Any
) -> None:
    both = secret(files)
    both["data"] |= material_secret(Material(authority.issuer, authority.roots))["data"]  # type: ignore[index,call-overload]
    with pytest.raises(Refused, match=r"data: found .*ca-cert\.pem.*tls\.crt.*not both"):
        stored_material(both)


def test_where_an_issuer_is_renewed_the_former_layout_goes(files: dict[str, bytes], authority: Any) -> None:
    renewed = renewed_secret(secret(files), material_secret(Material(authority.issuer, authority.roots)))
    assert stored_material(renewed).issuer.certificates == authority.issuer.certificates
