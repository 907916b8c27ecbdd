"""cert-manager signs the next issuer: what it is asked, what its answers come to, and who goes on after whom."""

import asyncio
import json
from base64 import b64decode
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from ca.authority import new_root
from ca.certificates import issuing_certificate, pem
from ca.certmanager.asking import ask
from ca.certmanager.signing import Declined, Pending, Signed, answer, certificate_request
from ca.material import Issuer, Material
from ca.randomness import new_key
from ca.stored import ISSUER_SECRET, material_secret, stored_material
from ca.upstream import request_secret
from kube.client import Client
from kube.resources import CERTIFICATE_REQUESTS, SECRETS
from proa.errors import Invalid, Refused
from proa.identity import TrustDomain
from proa.mesh import MeshConfiguration, mesh_configuration
from proa.upstreams import CertManager
from support.certificate_requests import condition, encoded, signed
from support.etcd import Died, Etcd

DOMAIN = TrustDomain("cluster.local")
NOW = datetime.now(UTC).replace(microsecond=0)
MESH = mesh_configuration("authority: {upstream: {kind: cert-manager, issuer: mesh-root, issuerKind: ClusterIssuer}}")
UPSTREAM = CertManager(issuer="mesh-root", issuer_kind="ClusterIssuer")


class Cluster:
    """The API server's store, and cert-manager's issuer, whose root is *root*."""

    def __init__(self) -> None:
        self.etcd, self.root = Etcd(), new_root(DOMAIN, NOW)

    def looks(self) -> Material | None:
        """A leader's look. What it finds has a uid, and what had an owner that is gone is gone, as in a cluster."""
        try:
            return asyncio.run(ask(Client(self.etcd), MESH, UPSTREAM, lambda: NOW))
        finally:
            if not self.key_waits:
                self.etcd.objects = {at: each for at, each in self.etcd.objects.items() if each not in self.requests}

    @property
    def requests(self) -> list[Any]:
        return [each for each in self.etcd.objects.values() if each["kind"] == "CertificateRequest"]

    @property
    def request(self) -> Any:
        (only,) = self.requests
        return only

    @property
    def key_waits(self) -> bool:
        return self.etcd.get(SECRETS, "proa-ca-request", "proa-system") is not None

    @property
    def material(self) -> Material:
        return stored_material(self.etcd.get(SECRETS, ISSUER_SECRET, "proa-system"))

    def conditions(self, *conditions: Any, **status: str) -> None:
        self.etcd.put({**self.request, "status": {"conditions": conditions, **status}})

    def signs(self, root: Issuer | None = None) -> None:
        """As cert-manager's issuer for a key in a Secret does."""
        self.etcd.put({**self.request, "status": signed(self.request, root or self.root)})


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


def shown(*conditions: Any, **status: str) -> Any:
    return {"status": {"conditions": list(conditions), **status}}


def waiting(request: str) -> Any:
    secret: Any = request_secret(new_key(), request)
    return {**secret, "metadata": {**secret["metadata"], "uid": "uid-1"}}


def test_it_is_asked_for_an_authority_of_ninety_days_by_a_name_that_follows_from_the_request() -> None:
    made: Any = certificate_request(waiting("a request"), UPSTREAM)
    assert made["spec"] == {
        "request": encoded("a request"),
        "isCA": True,
        "usages": ["cert sign", "crl sign"],
        "duration": "2160h",
        "issuerRef": {"name": "mesh-root", "kind": "ClusterIssuer", "group": "cert-manager.io"},
    }
    (owner,) = made["metadata"]["ownerReferences"]
    assert owner == {"apiVersion": "v1", "kind": "Secret", "name": "proa-ca-request", "uid": "uid-1"}
    assert made == certificate_request(waiting("a request"), UPSTREAM)
    others: Any = [
        certificate_request(waiting("another"), UPSTREAM),
        certificate_request(waiting("a request"), CertManager(issuer="mesh-root")),
    ]
    assert len({each["metadata"]["name"] for each in (made, *others)}) == 3


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ({}, Pending()),
        (shown(), Pending()),
        (shown(condition("Approved")), Pending()),
        (shown(condition("Ready", "False", "Pending", "waits")), Pending()),
        (shown(condition("Denied", message="no")), Declined("Denied: 'no'")),
        (shown(condition("Ready"), condition("InvalidRequest")), Declined("InvalidRequest")),
        (shown(condition("Ready", "False", "Failed", "no key")), Declined("Failed: 'no key'")),
    ],
)
def test_what_is_not_signed_is_pending_or_declined_for_good(found: Any, expected: Any) -> None:
    assert answer(found) == expected


@pytest.mark.parametrize("status", [{}, {"certificate": "*"}, {"certificate": encoded("none")}])
def test_an_answer_that_cannot_be_read_is_invalid(status: Any) -> None:
    with pytest.raises(Invalid):
        answer(shown(condition("Ready"), **status))


def test_a_certificate_that_is_told_twice_is_read_once() -> None:
    root = pem(new_root(DOMAIN, NOW).issuing.certificate)
    found = answer(shown(condition("Ready"), certificate=encoded(root), ca=encoded(root)))
    assert isinstance(found, Signed)
    assert len(found.certificates) == 1


def test_the_first_issuer_comes_into_force_with_its_root_and_nothing_is_left_behind(cluster: Cluster) -> None:
    assert cluster.looks() is None
    assert cluster.looks() is None
    assert cluster.key_waits
    cluster.signs()
    material = cluster.looks()
    assert material == cluster.material
    assert material.roots == (cluster.root.issuing.certificate,)
    assert (cluster.requests, cluster.key_waits) == ([], False)


def test_the_key_never_leaves_the_authoritys_secrets(cluster: Cluster) -> None:
    cluster.looks()
    asked = b64decode(cluster.request["spec"]["request"])
    assert b"PRIVATE" not in asked
    assert "PRIVATE" not in json.dumps(cluster.request)
    cluster.signs()
    cluster.looks()
    public = x509.load_pem_x509_csr(asked).public_key()
    assert cluster.material.issuer.key.public_key() == public


def test_the_next_issuer_has_another_key_below_the_same_root(cluster: Cluster) -> None:
    generations = []
    for _ in range(2):
        cluster.looks()
        cluster.signs()
        cluster.looks()
        generations.append(cluster.material)
    first, second = generations
    assert first.roots == second.roots
    assert first.issuer.key.public_key() != second.issuer.key.public_key()


def test_what_was_declined_is_taken_away_and_asked_anew(cluster: Cluster) -> None:
    cluster.looks()
    declined = cluster.request["metadata"]["name"]
    cluster.conditions(condition("Denied", message="not by us"))
    with pytest.raises(Invalid, match="not by us"):
        cluster.looks()
    assert (cluster.requests, cluster.key_waits) == ([], False)
    cluster.looks()
    assert cluster.request["metadata"]["name"] != declined


def test_a_root_that_no_pod_trusts_is_refused_until_an_admin_has_it_trusted(cluster: Cluster) -> None:
    cluster.looks()
    cluster.signs()
    cluster.looks()
    before, other = cluster.material, new_root(DOMAIN, NOW)
    cluster.looks()
    cluster.signs(other)
    with pytest.raises(Invalid, match=r"add it to ca\.crt of proa-ca before"):
        cluster.looks()
    assert cluster.material == before
    both = Material(before.issuer, (*before.roots, other.issuing.certificate))
    cluster.etcd.put(material_secret(both))
    assert cluster.looks() == cluster.material
    assert cluster.material.root == other.issuing.certificate


def test_an_answer_by_which_no_pod_could_be_served_leaves_the_present_issuer_in_force(cluster: Cluster) -> None:
    """One that has come to its end already, as where nobody led for long."""
    cluster.looks()
    cluster.signs()
    cluster.looks()
    before, present = cluster.material, cluster.root
    cluster.looks()
    long_ago = x509.CertificateBuilder(
        present.issuing.certificate.subject,
        *(present.issuing.certificate.subject, present.issuing.public_key, 1),
        *(NOW - timedelta(days=200), NOW + timedelta(days=3000)),
        list(present.issuing.certificate.extensions),
    ).sign(present.key, SHA256())  # type: ignore[arg-type]
    status = signed(cluster.request, Issuer(issuing_certificate(long_ago), present.key))
    cluster.conditions(*status["conditions"], certificate=status["certificate"])
    with pytest.raises(Invalid, match="can be served now"):
        cluster.looks()
    assert (cluster.material, cluster.key_waits) == (before, True)
    cluster.signs()
    assert cluster.looks() == cluster.material != before


def test_an_issuer_whose_root_is_not_told_cannot_be_the_first(cluster: Cluster) -> None:
    cluster.looks()
    cluster.signs()
    status = cluster.request["status"]
    cluster.conditions(*status["conditions"], certificate=status["certificate"])
    with pytest.raises((Invalid, Refused)):
        cluster.looks()
    assert cluster.etcd.get(SECRETS, ISSUER_SECRET, "proa-system") is None


@pytest.mark.parametrize("answered", [False, True])
@pytest.mark.parametrize("write", range(3))
def test_whoever_dies_at_any_write_is_carried_on_from(cluster: Cluster, write: int, answered: bool) -> None:
    cluster.etcd.lives, cluster.etcd.loses_answers = write, answered
    with pytest.raises(Died):
        _asks_until_it_is_in_force(cluster)
    cluster.etcd.lives = -1
    _asks_until_it_is_in_force(cluster)
    assert cluster.material.roots == (cluster.root.issuing.certificate,)


def _asks_until_it_is_in_force(cluster: Cluster) -> None:
    while cluster.looks() is None:
        cluster.signs()


def test_with_crls_an_upstream_is_refused_as_its_issuers_would_not_wait_for_theirs() -> None:
    with pytest.raises(Refused, match=r"authority\.upstream\.kind"):
        mesh_configuration("authority: {upstream: {kind: cert-manager}, roots: {kind: config-maps, revocation: crl}}")
    assert MeshConfiguration().authority.upstream != UPSTREAM


def test_its_requests_have_a_place_of_their_own() -> None:
    assert str(CERTIFICATE_REQUESTS) == "certificaterequests.cert-manager.io"
