"""Vault's own PKI engine and Kubernetes auth method sign the authority's issuers, or say why not.

It needs no cluster but the Go that builds one.
"""

import asyncio
import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from ca.authority import CertificateAuthority, self_signed_authority
from ca.certificates import extension, pem, validity
from ca.csr import stub_request
from ca.material import Material
from ca.profile import WorkloadLeaf
from ca.randomness import new_key, new_serial
from ca.stored import ISSUER_SECRET, material_secret, stored_material
from ca.upstream import issuer_request
from ca.vault.asking import ask
from ca.vault.failures import VaultRefused, VaultUnavailable
from kube.client import Client
from kube.resources import SECRETS
from launcher import builds
from proa.errors import Invalid
from proa.identity import TrustDomain, WorkloadIdentity
from proa.mesh import MeshConfiguration
from proa.upstreams import KubernetesAuth, SystemRoots, VaultPki
from support import vault as vaults
from support.etcd import Died, Etcd
from support.vault import Vault

pytestmark = pytest.mark.at_any_time
DOMAIN = TrustDomain("cluster.local")
MESH = MeshConfiguration()


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vault]:
    with vaults.running(tmp_path_factory.mktemp("vault")) as found:
        yield found


@pytest.fixture
def vault(engine: Vault) -> Vault:
    """As an admin has set it up, with a root of this test's own."""
    engine.root()
    engine.opens()
    engine.logs_in_as()
    return engine


@dataclass
class Leader:
    """The authority's leader before an API server's store; *upstream* is what the mesh says."""

    vault: Vault
    upstream: VaultPki
    etcd: Etcd = field(default_factory=Etcd)

    def asks(self, now: datetime | None = None) -> Material:
        clock = (lambda: now) if now else (lambda: datetime.now(UTC))
        return asyncio.run(ask(Client(self.etcd), MESH, self.upstream, clock, self.vault.directory))

    @property
    def material(self) -> Material:
        return stored_material(self.etcd.get(SECRETS, ISSUER_SECRET, "proa-system"))

    @property
    def key_waits(self) -> bool:
        return self.etcd.get(SECRETS, "proa-ca-request", "proa-system") is not None


@pytest.fixture
def leader(vault: Vault) -> Leader:
    return Leader(vault, vault.upstream())


def certificate(text: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate(text.encode())


def path_length(found: x509.Certificate) -> int | None:
    basic = extension(found, x509.BasicConstraints)
    assert basic is not None
    assert basic.value.ca
    return basic.value.path_length


def test_the_first_issuer_is_what_was_asked_for_below_vaults_root_and_its_key_is_ours(
    vault: Vault, leader: Leader
) -> None:
    root = certificate(vault.root()["certificate"])
    material = leader.asks()
    issuing = material.issuer.issuing.certificate
    assert material == leader.material
    assert (material.roots, material.issuer.above) == ((root,), ())
    assert material.issuer.key.public_key() == issuing.public_key()
    assert path_length(issuing) == 0
    names = extension(issuing, x509.SubjectAlternativeName)
    assert names is not None
    assert list(names.value) == [x509.UniformResourceIdentifier("spiffe://cluster.local")]
    subject = issuing.subject.rfc4514_string()
    assert "CN=Proa intermediate" in subject
    assert "O=cluster.local" in subject
    assert abs(validity(issuing).lifetime - timedelta(days=90)) < timedelta(minutes=1)
    assert not leader.key_waits


def test_each_next_issuer_has_another_key_and_another_name_below_the_same_root(leader: Leader) -> None:
    first, second = leader.asks(), leader.asks()
    assert first.roots == second.roots
    assert first.issuer.key.public_key() != second.issuer.key.public_key()
    subjects = {each.issuer.issuing.certificate.subject for each in (first, second)}
    assert len(subjects) == 2


def test_a_request_that_was_answered_and_not_taken_away_is_not_the_next_ones(leader: Leader) -> None:
    """Whoever put its answer in force died before."""
    with pytest.raises(VaultRefused):
        Leader(leader.vault, leader.vault.upstream(issuer="nobody"), leader.etcd).asks()
    waiting = leader.etcd.get(SECRETS, "proa-ca-request", "proa-system")
    first = leader.asks()
    leader.etcd.put(waiting)
    assert leader.asks().issuer.key.public_key() != first.issuer.key.public_key()


def test_no_token_of_vaults_is_left_behind_whatever_came_of_it(vault: Vault, leader: Leader) -> None:
    before = vault.tokens
    leader.asks()
    with pytest.raises(VaultRefused):
        Leader(vault, vault.upstream(issuer="nobody")).asks()
    assert vault.tokens == before


def test_an_intermediate_of_vaults_brings_those_above_it_along(vault: Vault) -> None:
    root = vault.root()
    asked = vault.write("pki/intermediate/generate/internal", common_name="The company's issuer", key_type="ec")
    signed = vault.write("pki/root/sign-intermediate", csr=asked["csr"], use_csr_values=False, common_name="Issuer A")
    imported = vault.write("pki/intermediate/set-signed", certificate=signed["certificate"])
    (issuer,) = imported["imported_issuers"]
    material = Leader(vault, vault.upstream(issuer=issuer)).asks()
    assert material.roots == (certificate(root["certificate"]),)
    assert material.issuer.above == (certificate(signed["certificate"]),)


def test_the_life_that_is_asked_for_is_cut_to_what_the_issuer_has_left(vault: Vault) -> None:
    vault.root(ttl="240h")
    found = Leader(vault, vault.upstream()).asks().issuer.issuing.validity
    assert timedelta(days=9) < found.lifetime <= timedelta(days=10, minutes=1)


@pytest.mark.parametrize("kind", [{"key_type": "rsa", "key_bits": 2048}, {"key_type": "ec", "key_bits": 384}])
def test_go_and_openssl_take_what_is_issued_below_it(vault: Vault, tmp_path: Path, kind: dict[str, Any]) -> None:
    vault.root(**kind)
    material = Leader(vault, vault.upstream()).asks()
    authority = CertificateAuthority(material.issuer, material.roots, lambda: datetime.now(UTC))
    leaf = WorkloadLeaf(WorkloadIdentity(DOMAIN, "shop", "web"))
    chain = authority.sign(stub_request(ec.generate_private_key(ec.SECP256R1())), leaf)
    question = {"chain": chain.pem, "roots": authority.trust_bundle, "name": "", "time": datetime.now(UTC).isoformat()}
    asked = "".join(json.dumps({**question, "usage": usage}) + "\n" for usage in ("client", "server"))
    go = subprocess.run([builds.built(builds.VERIFY)], input=asked, capture_output=True, text=True, check=True)
    assert go.stdout.splitlines() == ["ok", "ok"]
    files = {"roots": authority.trust_bundle, "above": pem(*chain.intermediates), "leaf": pem(chain.leaf)}
    roots, above, below = (_written(tmp_path / name, text) for name, text in files.items())
    checks = ("-x509_strict", "-purpose", "sslclient", "-CAfile", roots, "-untrusted", above, below)
    done = subprocess.run(["openssl", "verify", *checks], capture_output=True, text=True, check=False)
    assert done.stdout.endswith(": OK\n"), done.stderr


def _written(file: Path, text: str) -> Path:
    file.write_text(text)
    return file


def test_within_a_namespace_it_is_that_ones_engine_and_that_ones_role(vault: Vault) -> None:
    root = certificate(vault.root(namespace="team")["certificate"])
    vault.opens("team")
    assert Leader(vault, vault.upstream(namespace="team")).asks().roots == (root,)


@dataclass(frozen=True)
class Refusal:
    """What an admin has set up otherwise than *upstream* says, with the *status* and the *remedy* that come of it."""

    upstream: dict[str, Any]
    status: int
    remedy: str
    role: dict[str, Any] = field(default_factory=dict)
    account: dict[str, Any] = field(default_factory=dict)


REFUSALS = {
    "another account": Refusal({}, 403, "bound_service_account_names=proa-ca", account={"account": "proa-webhook"}),
    "another audience": Refusal({}, 403, "audience=vault", account={"audience": "somebody"}),
    "a key of another cluster": Refusal(
        {}, 403, "of this cluster", account={"key": ec.generate_private_key(ec.SECP256R1())}
    ),
    "an old token": Refusal({}, 403, "of this cluster", account={"age": 7200}),
    "no such role": Refusal({"auth": KubernetesAuth(role="nobody")}, 400, "auth/kubernetes/role/nobody"),
    "no such auth mount": Refusal({"auth": KubernetesAuth(mount="k8s")}, 403, "auth/k8s/role/proa-ca"),
    "a role without the policy": Refusal(
        {}, 403, 'path "pki/issuer/default/sign-intermediate"', role={"token_policies": ["default"]}
    ),
    "no such mount": Refusal({"mount": "other"}, 403, 'path "other/issuer/default/sign-intermediate"'),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_what_an_admin_has_to_mend_is_said_with_how(vault: Vault, name: str) -> None:
    refusal = REFUSALS[name]
    vault.opens(**refusal.role)
    token = vault.logs_in_as(**refusal.account)
    leader = Leader(vault, vault.upstream(**refusal.upstream))
    with pytest.raises(VaultRefused) as raised:
        leader.asks()
    assert raised.value.status == refusal.status
    assert refusal.remedy in str(raised.value)
    assert token not in str(raised.value)
    assert leader.key_waits


def test_an_issuer_that_is_not_there_is_told_in_vaults_words(vault: Vault) -> None:
    """With status 500, though nothing but an admin mends it."""
    with pytest.raises(VaultRefused, match=r"unable to find PKI issuer.*vault list pki/issuers"):
        Leader(vault, vault.upstream(issuer="nobody")).asks()


def test_an_issuer_that_may_have_none_below_it_is_told_in_vaults_words(vault: Vault) -> None:
    vault.root(max_path_length=0)
    with pytest.raises(VaultRefused, match="max path length of zero"):
        Leader(vault, vault.upstream()).asks()


def test_while_it_is_sealed_it_is_unavailable_and_then_goes_on_with_the_same_key(vault: Vault, leader: Leader) -> None:
    vault.write("sys/seal")
    try:
        with pytest.raises(VaultUnavailable, match=r"sealed.*vault operator unseal"):
            leader.asks()
    finally:
        vault.write("sys/unseal")
    waiting = leader.etcd.get(SECRETS, "proa-ca-request", "proa-system")
    assert leader.asks() == leader.material
    assert waiting["data"]["tls.key"] == leader.etcd.get(SECRETS, ISSUER_SECRET, "proa-system")["data"]["tls.key"]


def test_a_server_of_another_ca_is_given_nothing(vault: Vault, tmp_path: Path) -> None:
    stranger = self_signed_authority(DOMAIN, lambda: datetime.now(UTC))
    (tmp_path / "ca.crt").write_text(stranger.trust_bundle)
    (tmp_path / "token").write_text("a token")
    elsewhere = Vault(vault.server, tmp_path, vault.account_key)
    with pytest.raises(VaultUnavailable, match=r"not trusted.*ca\.crt of the ConfigMap proa-vault-ca"):
        Leader(elsewhere, vault.upstream()).asks()
    with pytest.raises(VaultUnavailable, match="not trusted"):
        Leader(vault, vault.upstream(ca=SystemRoots())).asks()


def test_a_root_that_no_pod_trusts_is_refused_and_the_present_issuer_stays(vault: Vault, leader: Leader) -> None:
    before = leader.asks()
    other = certificate(vault.root()["certificate"])
    with pytest.raises(Invalid, match=r"add it to ca\.crt of proa-ca before"):
        leader.asks()
    assert leader.material == before
    leader.etcd.put(material_secret(Material(before.issuer, (*before.roots, other))))
    assert leader.asks().root == other


def test_a_root_that_constrains_the_names_of_uris_is_refused_and_nothing_comes_into_force(vault: Vault) -> None:
    """By Vault, where they are not ours; by us in any case, as not every verifier knows how to compare them."""
    leader = Leader(vault, vault.upstream())
    vault.root(permitted_uri_domains="other.example")
    with pytest.raises(VaultRefused, match="not permitted by any constraint"):
        leader.asks()
    vault.root(permitted_uri_domains="cluster.local")
    with pytest.raises(Invalid, match="name constraint"):
        leader.asks()
    assert leader.etcd.get(SECRETS, ISSUER_SECRET, "proa-system") is None


def test_an_answer_that_is_not_good_now_leaves_the_present_issuer_in_force(leader: Leader) -> None:
    before = leader.asks()
    with pytest.raises(Invalid, match="can be served now"):
        leader.asks(datetime.now(UTC) + timedelta(days=100))
    assert leader.material == before


@pytest.mark.parametrize("answered", [False, True])
@pytest.mark.parametrize("write", range(2))
def test_whoever_dies_at_any_write_is_carried_on_from(leader: Leader, write: int, answered: bool) -> None:
    leader.etcd.lives, leader.etcd.loses_answers = write, answered
    with pytest.raises(Died):
        leader.asks()
    leader.etcd.lives = -1
    assert leader.asks() == leader.material


def test_vault_refuses_our_request_where_it_should_take_all_of_it(vault: Vault) -> None:
    """Why what it says of itself is said again (`ca.vault.calls`)."""
    request = issuer_request(DOMAIN, new_key(), new_serial())
    with pytest.raises(OSError, match="400"):
        vault.write("pki/root/sign-intermediate", csr=request, use_csr_values=True)
